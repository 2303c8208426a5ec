#include "services/server/key_envelope_reader.h"

#include <utility>

#include "services/keys/envelope_opener.h"
#include "services/keys/number_index.h"

namespace postern::server {
namespace {

class KeyEnvelopeReader final : public messages::EnvelopeReader {
 public:
  KeyEnvelopeReader(std::shared_ptr<keys::DataKeyStore> data_keys, const crypto::Secret& index_key)
      : opener_(std::move(data_keys), index_key) {}

  absl::StatusOr<messages::NumberFacts> ReadNumber(const v1::Envelope& envelope) override {
    const auto message_id = Uuid::FromBytes(envelope.id());
    const auto data_key_id = Uuid::FromBytes(envelope.data_key_id());
    if (!message_id.ok() || !data_key_id.ok()) {
      return absl::DataLossError("the envelope's ids are malformed");
    }
    keys::Sealed sealed;
    sealed.message_id = *message_id;
    sealed.data_key_id = *data_key_id;
    sealed.client_id = envelope.client_id();
    sealed.encrypted_body = envelope.encrypted_body();
    sealed.encrypted_number = envelope.encrypted_number();
    sealed.wrapped_data_key = &envelope.wrapped_data_key();
    const absl::StatusOr<keys::Opened> opened = opener_.Open(sealed);
    if (!opened.ok()) return opened.status();
    messages::NumberFacts facts;
    facts.hash = opener_.number_index().Hash(opened->number);
    facts.masked = keys::MaskNumber(opened->number);
    return facts;
  }

  absl::StatusOr<messages::OpenedMessage> Open(
      const messages::StoredCiphertext& ciphertext) override {
    keys::Sealed sealed;
    sealed.message_id = ciphertext.message_id;
    sealed.data_key_id = ciphertext.data_key_id;
    sealed.client_id = ciphertext.client_id;
    sealed.encrypted_body = ciphertext.encrypted_body;
    sealed.encrypted_number = ciphertext.encrypted_number;
    sealed.wrapped_data_key = &ciphertext.wrapped_data_key;
    absl::StatusOr<keys::Opened> opened = opener_.Open(sealed);
    if (!opened.ok()) return opened.status();
    messages::OpenedMessage message;
    message.body = std::move(opened->body);
    message.number = std::move(opened->number);
    return message;
  }

 private:
  keys::EnvelopeOpener opener_;
};

}  // namespace

messages::EnvelopeReaderFactory MakeEnvelopeReaders(
    std::shared_ptr<keys::DataKeyStore> data_keys,
    std::shared_ptr<const crypto::Secret> index_key) {
  return [data_keys = std::move(data_keys), index_key = std::move(index_key)] {
    return std::make_unique<KeyEnvelopeReader>(data_keys, *index_key);
  };
}

}  // namespace postern::server

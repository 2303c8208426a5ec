#include "edge_proxy/envelope_sealer.h"

#include <utility>

#include "services/common/crypto/envelope_cipher.h"

namespace postern::edge {
namespace {

constexpr std::uint64_t kEncryptionsPerMessage = 2;
constexpr std::uint64_t kReservation = 4096;  // Even, so that no message straddles two.

}  // namespace

absl::Status EnvelopeSealer::Prepare() {
  const std::uint64_t version = keys_.version();
  if (version != key_version_) {
    std::shared_ptr<DataKey> key = keys_.Current();
    absl::StatusOr<crypto::Aead> aead = crypto::Aead::Create(key->key());
    if (!aead.ok()) return aead.status();
    aead_ = *std::move(aead);
    key_ = std::move(key);
    key_version_ = version;
    reserved_ = 0;
    *envelope_.mutable_wrapped_data_key() = key_->wrapped();
    envelope_.set_data_key_id(std::string(key_->id().bytes()));
  }
  if (key_ == nullptr) return absl::UnavailableError("no data key has been fetched yet");
  if (reserved_ == 0) {
    if (!key_->Reserve(kReservation)) {
      return absl::UnavailableError("the data key is used up, and there is no new one");
    }
    reserved_ = kReservation;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> EnvelopeSealer::Seal(const Uuid& id, const ClientRecord& client,
                                                 MessageRequest request,
                                                 std::int64_t accepted_at_us,
                                                 std::string traceparent) {
  absl::Status prepared = Prepare();
  if (!prepared.ok()) return prepared;
  reserved_ -= kEncryptionsPerMessage;
  using crypto::EnvelopeAdditionalData;
  using crypto::EnvelopeField;
  const std::string body_data =
      EnvelopeAdditionalData(EnvelopeField::kBody, key_->id(), id, client.client_id);
  const std::string number_data =
      EnvelopeAdditionalData(EnvelopeField::kNumber, key_->id(), id, client.client_id);
  envelope_.mutable_id()->assign(id.bytes());
  envelope_.set_client_id(client.client_id);
  envelope_.set_domain(client.domain);
  *envelope_.mutable_encrypted_body() = aead_->Seal(request.message_body, body_data);
  *envelope_.mutable_encrypted_number() = aead_->Seal(request.sender_number, number_data);
  *envelope_.mutable_client_ref() = std::move(request.client_ref);
  *envelope_.mutable_metadata_json() = std::move(request.metadata_json);
  envelope_.set_accepted_at_us(accepted_at_us);
  *envelope_.mutable_traceparent() = std::move(traceparent);
  std::string wire;
  if (!envelope_.SerializeToString(&wire)) {
    return absl::InternalError("the envelope cannot be serialised");
  }
  return wire;
}

}  // namespace postern::edge

#include "services/keys/envelope_opener.h"

#include <utility>

namespace postern::keys {
namespace {

// One per edge process and day, and the days that are being read.
constexpr std::size_t kCiphersMax = 256;

}  // namespace

EnvelopeOpener::EnvelopeOpener(std::shared_ptr<DataKeyStore> data_keys,
                               const crypto::Secret& index_key)
    : data_keys_(std::move(data_keys)), number_index_(index_key) {}

absl::StatusOr<Opened> EnvelopeOpener::Open(const Sealed& sealed) {
  auto cipher = Cipher(sealed.data_key_id, *sealed.wrapped_data_key);
  if (!cipher.ok()) return cipher.status();
  const auto open = [&](crypto::EnvelopeField field, std::string_view ciphertext) {
    return (*cipher)->Open(
        ciphertext, crypto::EnvelopeAdditionalData(field, sealed.data_key_id, sealed.message_id,
                                                   sealed.client_id));
  };
  auto body = open(crypto::EnvelopeField::kBody, sealed.encrypted_body);
  if (!body.ok()) return body.status();
  auto number = open(crypto::EnvelopeField::kNumber, sealed.encrypted_number);
  if (!number.ok()) return number.status();
  return Opened{*std::move(body), *std::move(number)};
}

absl::StatusOr<crypto::Aead*> EnvelopeOpener::Cipher(const Uuid& data_key_id,
                                                     const v1::WrappedDataKey& wrapped) {
  if (const auto found = ciphers_.find(data_key_id); found != ciphers_.end()) return &found->second;
  auto key = data_keys_->Find(data_key_id, wrapped);
  if (!key.ok()) return key.status();
  auto cipher = crypto::Aead::Create((*key)->view());
  if (!cipher.ok()) return cipher.status();
  if (ciphers_.size() >= kCiphersMax) ciphers_.clear();
  return &ciphers_.emplace(data_key_id, *std::move(cipher)).first->second;
}

}  // namespace postern::keys

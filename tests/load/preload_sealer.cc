#include "tests/load/preload_sealer.h"

#include <map>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/crypto/envelope_cipher.h"
#include "services/keys/key_file.h"
#include "services/keys/master_keys.h"
#include "tests/load/limits.h"

namespace postern::load {
namespace {

constexpr char kAddKey[] =
    "INSERT INTO data_keys (id, master_key_version, wrapped, created_at_us, created_for)"
    " VALUES (?, ?, ?, ?, 'edge/preload')";
// Of a master key that no server has.
constexpr std::uint32_t kUnknownVersion = 1'000'000;

}  // namespace

absl::StatusOr<PreloadKeys> PreloadKeys::Read(const std::string& master_key_file,
                                              const std::string& index_key_file) {
  absl::StatusOr<std::map<std::uint32_t, crypto::Secret>> master =
      keys::ReadKeyFile(master_key_file);
  if (!master.ok()) return master.status();
  absl::StatusOr<std::map<std::uint32_t, crypto::Secret>> index = keys::ReadKeyFile(index_key_file);
  if (!index.ok()) return index.status();
  PreloadKeys keys;
  keys.id_ = Uuid::Random();
  keys.data_key_ = crypto::Secret::Random(crypto::kAeadKeySize);
  keys.index_key_ = std::move(index->begin()->second);
  keys.wrapped_ = keys::MasterKeys(*std::move(master)).Wrap(keys.id_, keys.data_key_);
  return keys;
}

absl::Status PreloadKeys::Store(db::Connection& connection) const {
  return connection
      .Execute(kAddKey, {id_.bytes(), std::int64_t{wrapped_.master_key_version()},
                         std::string_view(wrapped_.ciphertext()), NowMicros()})
      .status();
}

PreloadSealer::PreloadSealer(const PreloadKeys& keys)
    : keys_(keys),
      aead_(crypto::Aead::Create(keys.data_key().view()).value()),
      index_(keys.index_key()) {}

v1::Envelope PreloadSealer::Seal(const PreloadMessage& message) {
  const bool opens = message.state != v1::MESSAGE_STATE_RETRYING;
  const Uuid& key = opens ? keys_.id() : unknown_key_;
  const auto seal = [&](crypto::EnvelopeField field, const std::string& plaintext) {
    return aead_.Seal(plaintext,
                      crypto::EnvelopeAdditionalData(field, key, message.id, message.client_id));
  };
  v1::Envelope envelope;
  envelope.set_id(std::string(message.id.bytes()));
  envelope.set_client_id(message.client_id);
  envelope.set_domain(kPreloadDomain);
  envelope.set_data_key_id(std::string(key.bytes()));
  *envelope.mutable_wrapped_data_key() = keys_.wrapped();
  if (!opens) envelope.mutable_wrapped_data_key()->set_master_key_version(kUnknownVersion);
  envelope.set_encrypted_body(seal(crypto::EnvelopeField::kBody, message.body));
  envelope.set_encrypted_number(seal(crypto::EnvelopeField::kNumber, message.number));
  envelope.set_client_ref(message.client_ref);
  envelope.set_metadata_json(StrCat(R"({"client_ref":")", message.client_ref, R"("})"));
  envelope.set_accepted_at_us(message.accepted_at_us);
  return envelope;
}

}  // namespace postern::load

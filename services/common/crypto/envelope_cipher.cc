#include "services/common/crypto/envelope_cipher.h"

namespace postern::crypto {
namespace {

constexpr char kFormatVersion = 1;

}  // namespace

std::string EnvelopeAdditionalData(EnvelopeField field, const Uuid& data_key_id,
                                   const Uuid& message_id, std::string_view client_id) {
  std::string data;
  data.reserve(2 + 2 * Uuid::kSize + client_id.size());
  data += kFormatVersion;
  data += static_cast<char>(field);
  data += data_key_id.bytes();
  data += message_id.bytes();
  data += client_id;
  return data;
}

}  // namespace postern::crypto

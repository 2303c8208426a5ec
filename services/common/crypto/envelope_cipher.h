#pragma once

#include <string>
#include <string_view>

#include "services/common/base/uuid.h"

namespace postern::crypto {

// Which ciphertext of an envelope. The value is part of the additional data: never change one.
enum class EnvelopeField : unsigned char { kBody = 1, kNumber = 2 };

// The additional data of a ciphertext in an envelope: format version (1 byte, 1), field (1 byte),
// data key id (16 bytes), message id (16 bytes), client id. So a ciphertext moved to another
// message, client or field does not open.
std::string EnvelopeAdditionalData(EnvelopeField field, const Uuid& data_key_id,
                                   const Uuid& message_id, std::string_view client_id);

}  // namespace postern::crypto

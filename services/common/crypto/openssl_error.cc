#include "services/common/crypto/openssl_error.h"

#include <openssl/err.h>

#include <cstring>

#include "services/common/base/strings.h"

namespace postern::crypto {

std::string OpenSslReason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? StrCat("OpenSSL error ", code) : std::string(reason);
}

}  // namespace postern::crypto

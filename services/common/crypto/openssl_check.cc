#include "services/common/crypto/openssl_check.h"

#include <openssl/err.h>

#include <cstdio>
#include <cstdlib>

namespace postern::crypto {

void RequireOpenSsl(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "fatal: OpenSSL: %s failed\n", what);
  ERR_print_errors_fp(stderr);
  std::abort();
}

}  // namespace postern::crypto

#include "services/common/base/random.h"

#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>

namespace postern {

void FillRandom(std::span<std::uint8_t> out) {
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) == 1) return;
  std::fputs("fatal: OpenSSL has no random numbers\n", stderr);
  std::abort();
}

}  // namespace postern

#pragma once

namespace postern::crypto {

// Ends the process when `ok` is false: OpenSSL refuses what cannot fail, out of memory or a broken
// installation, and going on could send plaintext. `what` is a literal.
void RequireOpenSsl(bool ok, const char* what);

}  // namespace postern::crypto

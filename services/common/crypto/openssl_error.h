#pragma once

#include <string>

namespace postern::crypto {

// The oldest error of this thread's OpenSSL queue, for people; empties the queue.
std::string OpenSslReason();

}  // namespace postern::crypto

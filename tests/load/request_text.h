#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/load/random.h"

namespace postern::load {

using Nonce = std::array<std::uint8_t, 16>;
using Sha256Digest = std::array<std::uint8_t, 32>;

// A body begins with its nonce as 32 lower-case hexadecimal digits.
inline constexpr std::size_t kNonceChars = 32;

// The nonce that a stored body begins with; NotFound when it begins with something else.
absl::StatusOr<Nonce> NonceOf(std::string_view body);

// SHA-256 with one context that is used again and again. Not thread-safe.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  Sha256Digest Hash(std::string_view data);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What is remembered of a request that was made.
struct Attempt {
  Nonce nonce{};
  Sha256Digest body_sha256{};
};

// Makes whole HTTP requests as text: random number, random printable body with a nonce of its own
// and with some code points that are not ASCII or that JSON escapes. About a microsecond each. Not
// thread-safe.
class RequestMaker {
 public:
  struct Shape {
    std::size_t body_chars = 160;  // Code points of a body, kNonceChars to 1000.
    bool keyed = false;            // Each message has an idempotency key: its nonce.
    std::size_t batch = 0;         // Messages of a request, as a batch; 0: one, by itself.
  };
  RequestMaker(std::string_view host, std::string_view path, Shape shape, Random random);

  // Replaces `request` and `attempts`.
  void Make(std::string& request, std::vector<Attempt>& attempts);

 private:
  Attempt AppendMessage();
  void AppendNumber();
  void AppendBody(Attempt& attempt);

  const std::string head_;  // Up to the value of Content-Length.
  const Shape shape_;
  const std::size_t body_chars_;
  Random random_;
  Hasher hasher_;
  std::string body_;  // The message body as it is.
  std::string json_;  // The request's content, the body escaped in it.
};

}  // namespace postern::load

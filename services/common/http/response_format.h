#pragma once

#include <cstdint>
#include <string>

#include "services/common/http/message.h"

namespace postern::http {

// The Date field of the current second, made anew only when the second changes. Not thread-safe.
class DateField {
 public:
  // `Date: Sun, 22 Nov 2026 03:24:58 GMT\r\n`, for microseconds since the Unix epoch. Valid until
  // the next call.
  const std::string& At(std::int64_t now_us);

 private:
  std::int64_t second_ = -1;
  std::string text_;
};

struct AnswerOptions {
  bool close = false;     // Says `Connection: close`.
  bool head = false;      // Leaves the body out, but not its length.
  bool open_end = false;  // More of the body follows until the connection ends: has no length.
};

// Replaces `out` by the whole answer, header and body, ready to be sent at once. False, with `out`
// undefined, when a field of the response holds a line break or a NUL: it could forge further
// fields.
[[nodiscard]] bool FormatAnswer(const Response& response, AnswerOptions options,
                                const std::string& date_field, std::string& out);

}  // namespace postern::http

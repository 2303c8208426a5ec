#pragma once

#include <cstdint>
#include <string_view>

namespace postern::edge {

// What one access line says. Never a path or a value that a client chose.
struct AccessLine {
  std::string_view request_id;
  std::string_view route;
  std::string_view client;
  std::string_view message_id;  // Of an accepted message.
  int status = 0;
  std::int64_t duration_us = 0;
};

// Access lines of one lane, sampled: at most kAccessLinesPerSecond for successes and as many for
// failures; a line says how many were kept back before it. Not thread-safe.
class AccessLog {
 public:
  // Whether the next line would be written: asked first, so that a suppressed line costs nothing.
  bool Wants(int status, std::int64_t now_us);
  void Write(const AccessLine& line);

 private:
  struct Budget {
    std::int64_t second = 0;
    int written = 0;
    std::int64_t suppressed = 0;
  };
  Budget& BudgetOf(int status) { return status < 400 ? success_ : failure_; }

  Budget success_;
  Budget failure_;
};

}  // namespace postern::edge

#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/common/base/strings.h"

// Structured lines: `2026-11-22T03:24:58.123Z info edge queue_connected host=127.0.0.1 port=6380`.
// An event name in snake_case, then key and value pairs. Never a message body, a number, a key or a
// password. Thread-safe.
namespace postern::log {

enum class Level { kDebug, kInfo, kWarn, kError };

struct Settings {
  std::string program;         // Appears in every line.
  std::string level = "info";  // debug, info, warn or error.
  std::string folder;          // One file per process and day, kept for 7 days; empty: no files.
};

// Starts the asynchronous logger with a bounded queue that drops the oldest lines rather than
// block. Once, before threads.
absl::Status Start(const Settings& settings);
// Writes what is queued and stops. The last thing that main does.
void Stop();
void SetLevel(Level level);
// By its name, as in Settings; another name changes nothing.
void SetLevel(const std::string& name);
bool Enabled(Level level);

// One line; `event` and the keys are literals in snake_case. Values are quoted where needed,
// control characters escaped.
void Write(Level level, std::string_view event, std::string_view fields);
// `key=value`, with a leading blank, quoted and escaped.
void AppendField(std::string& out, std::string_view key, std::string_view value);

namespace internal {
inline void Append(std::string&) {}
template <typename Value, typename... Rest>
void Append(std::string& out, std::string_view key, const Value& value, const Rest&... rest) {
  AppendField(out, key, StrCat(value));
  Append(out, rest...);
}
template <typename... Fields>
void Line(Level level, std::string_view event, const Fields&... fields) {
  static_assert(sizeof...(Fields) % 2 == 0, "fields come as key, value, key, value, …");
  if (!Enabled(level)) return;
  std::string out;
  Append(out, fields...);
  Write(level, event, out);
}
}  // namespace internal

template <typename... Fields>
void Debug(std::string_view event, const Fields&... fields) {
  internal::Line(Level::kDebug, event, fields...);
}
template <typename... Fields>
void Info(std::string_view event, const Fields&... fields) {
  internal::Line(Level::kInfo, event, fields...);
}
template <typename... Fields>
void Warn(std::string_view event, const Fields&... fields) {
  internal::Line(Level::kWarn, event, fields...);
}
template <typename... Fields>
void Error(std::string_view event, const Fields&... fields) {
  internal::Line(Level::kError, event, fields...);
}

// Lets one line through per interval, so that a fault that repeats thousands of times a second is
// one line and a count. Thread-safe. `suppressed` is how many calls were kept back since the last
// line let through.
class RateLimit {
 public:
  explicit RateLimit(std::int64_t interval_ms = 1000) : interval_ms_(interval_ms) {}
  bool Allow(std::int64_t* suppressed = nullptr);

 private:
  const std::int64_t interval_ms_;
  std::atomic<std::int64_t> next_ms_{0};
  std::atomic<std::int64_t> suppressed_{0};
};

}  // namespace postern::log

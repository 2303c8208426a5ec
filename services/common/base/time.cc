#include "services/common/base/time.h"

#include <array>
#include <cstdio>
#include <optional>

#include "absl/status/status.h"

namespace postern {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

// Reads a date-time from left to right.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // Exactly `digits` digits.
  std::optional<int> Number(std::size_t digits) {
    if (text_.size() < digits) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (text_[i] < '0' || text_[i] > '9') return std::nullopt;
      value = value * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(digits);
    return value;
  }
  bool Take(std::string_view any_of) {
    if (text_.empty() || any_of.find(text_.front()) == std::string_view::npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  // `.` and at least one digit, if they are there: microseconds, cut off after the sixth digit.
  // Nullopt for a lone point.
  std::optional<std::int64_t> FractionMicros() {
    if (!Take(".")) return 0;
    std::int64_t micros = 0;
    std::size_t digits = 0;
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; ++digits) {
      if (digits < 6) micros = micros * 10 + (text_.front() - '0');
      text_.remove_prefix(1);
    }
    if (digits == 0) return std::nullopt;
    for (; digits < 6; ++digits) micros *= 10;
    return micros;
  }
  // `Z` or `±hh:mm`, in seconds.
  std::optional<std::int64_t> Offset() {
    if (Take("Zz")) return 0;
    const bool negative = !text_.empty() && text_.front() == '-';
    if (!Take("+-")) return std::nullopt;
    const auto hours = Number(2);
    if (!hours || *hours > 23 || !Take(":")) return std::nullopt;
    const auto minutes = Number(2);
    if (!minutes || *minutes > 59) return std::nullopt;
    const std::int64_t seconds = *hours * 3600 + *minutes * 60;
    return negative ? -seconds : seconds;
  }
  bool AtEnd() const { return text_.empty(); }

 private:
  std::string_view text_;
};

// Seconds since the Unix epoch of a `YYYY-MM-DD`.
std::optional<std::int64_t> ReadDate(Reader& reader) {
  const auto year = reader.Number(4);
  if (!year || !reader.Take("-")) return std::nullopt;
  const auto month = reader.Number(2);
  if (!month || !reader.Take("-")) return std::nullopt;
  const auto day = reader.Number(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400};
}

// Seconds since midnight of an `hh:mm:ss`. A leap second counts as the first of the next minute.
std::optional<std::int64_t> ReadTimeOfDay(Reader& reader) {
  const auto hour = reader.Number(2);
  if (!hour || *hour > 23 || !reader.Take(":")) return std::nullopt;
  const auto minute = reader.Number(2);
  if (!minute || *minute > 59 || !reader.Take(":")) return std::nullopt;
  const auto second = reader.Number(2);
  if (!second || *second > 60) return std::nullopt;
  return *hour * 3600 + *minute * 60 + *second;
}

std::optional<std::int64_t> Parse(std::string_view text) {
  Reader reader(text);
  const auto date = ReadDate(reader);
  if (!date || !reader.Take("Tt ")) return std::nullopt;
  const auto time = ReadTimeOfDay(reader);
  if (!time) return std::nullopt;
  const auto fraction = reader.FractionMicros();
  if (!fraction) return std::nullopt;
  const auto offset = reader.Offset();
  if (!offset || !reader.AtEnd()) return std::nullopt;
  return (*date + *time - *offset) * kMicrosPerSecond + *fraction;
}

}  // namespace

std::int64_t NowMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string FormatRfc3339(std::int64_t micros) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::microseconds> when{std::chrono::microseconds(micros)};
  const auto day = floor<std::chrono::days>(when);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(floor<std::chrono::milliseconds>(when - day));
  std::array<char, 64> text{};
  const int size = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
      static_cast<int>(time.subseconds().count()));
  return std::string(text.data(), static_cast<std::size_t>(size));
}

absl::StatusOr<std::int64_t> ParseRfc3339(std::string_view text) {
  const std::optional<std::int64_t> micros = Parse(text);
  if (!micros) {
    return absl::InvalidArgumentError(
        "not an RFC 3339 date-time with offset, such as 2026-11-22T03:24:58Z");
  }
  return *micros;
}

}  // namespace postern

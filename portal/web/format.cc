#include "portal/web/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <sstream>

#include "absl/strings/str_format.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

constexpr const char* kZoneTable = "/usr/share/zoneinfo/zone1970.tab";
constexpr std::int64_t kMillisecond = 1'000;
constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

std::string Format(const char* format, std::int64_t at_us, absl::TimeZone zone) {
  return absl::FormatTime(format, absl::FromUnixMicros(at_us), zone);
}

std::string Counted(std::int64_t count, const char* unit) {
  return StrCat(count, " ", unit, count == 1 ? "" : "s");
}

}  // namespace

Zones::Zones() : names_{"UTC"} {
  // The third column of this table is the name; lines with # are comments.
  std::ifstream table(kZoneTable);
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream columns(line);
    std::string codes;
    std::string place;
    std::string name;
    if (columns >> codes >> place >> name) names_.insert(name);
  }
}

absl::TimeZone Zones::Find(std::string_view name) const {
  absl::TimeZone zone = absl::UTCTimeZone();
  // The library keeps every name that it is asked for, so it is asked for known ones only.
  if (Contains(name)) absl::LoadTimeZone(ToAbsl(name), &zone);
  return zone;
}

std::string FormatTime(std::int64_t at_us, absl::TimeZone zone) {
  return Format("%Y-%m-%d %H:%M:%S", at_us, zone);
}

std::string FormatTimeExactly(std::int64_t at_us, absl::TimeZone zone) {
  return Format("%Y-%m-%d %H:%M:%E3S", at_us, zone);
}

std::string FormatDay(std::int64_t at_us, absl::TimeZone zone) {
  return Format("%d %b %Y", at_us, zone);
}

std::string FormatOffset(std::int64_t at_us, absl::TimeZone zone) {
  return Format("UTC%Ez", at_us, zone);
}

std::string FormatForInput(std::int64_t at_us, absl::TimeZone zone) {
  return Format("%Y-%m-%dT%H:%M", at_us, zone);
}

bool ParseFromInput(std::string_view text, absl::TimeZone zone, std::int64_t& at_us) {
  absl::Time time;
  std::string ignored;
  const bool parsed = absl::ParseTime("%Y-%m-%dT%H:%M", ToAbsl(text), zone, &time, &ignored) ||
                      absl::ParseTime("%Y-%m-%dT%H:%M:%S", ToAbsl(text), zone, &time, &ignored) ||
                      absl::ParseTime("%Y-%m-%d", ToAbsl(text), zone, &time, &ignored);
  constexpr absl::civil_year_t kYearMax = 9999;
  if (!parsed || time < absl::UnixEpoch() || absl::ToCivilYear(time, zone).year() > kYearMax) {
    return false;
  }
  at_us = absl::ToUnixMicros(time);
  return true;
}

std::string FormatSpan(std::int64_t micros) {
  if (micros <= 0) return "0 ms";
  if (micros < kMillisecond) return "< 1 ms";
  if (micros < kSecond) return StrCat(micros / kMillisecond, " ms");
  if (micros < kMinute) {
    return absl::StrFormat("%.2f s", static_cast<double>(micros) / static_cast<double>(kSecond));
  }
  if (micros < kHour) {
    const std::int64_t seconds = micros % kMinute / kSecond;
    return seconds == 0 ? StrCat(micros / kMinute, " min")
                        : StrCat(micros / kMinute, " min ", seconds, " s");
  }
  if (micros < kDay) {
    const std::int64_t minutes = micros % kHour / kMinute;
    return minutes == 0 ? StrCat(micros / kHour, " h")
                        : StrCat(micros / kHour, " h ", minutes, " min");
  }
  return Counted(micros / kDay, "day");
}

std::string FormatDistance(std::int64_t at_us, std::int64_t now_us) {
  const std::int64_t distance = std::abs(now_us - at_us);
  std::string span;
  if (distance < kSecond) return "now";
  if (distance < kMinute) {
    span = StrCat(distance / kSecond, " s");
  } else if (distance < kHour) {
    span = StrCat(distance / kMinute, " min");
  } else if (distance < 2 * kDay) {
    span = StrCat(distance / kHour, " h");
  } else {
    span = Counted(distance / kDay, "day");
  }
  return at_us < now_us ? span + " ago" : "in " + span;
}

std::string FormatCount(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::ptrdiff_t first = count < 0 ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > first; at -= 3) {
    digits.insert(digits.begin() + at, ',');
  }
  return digits;
}

std::string FormatBytes(std::int64_t bytes) {
  static constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

}  // namespace postern::portal

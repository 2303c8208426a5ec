#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace postern::portal {

// The time zones that a user may choose: those of the system's tz database, and UTC. Read once.
class Zones {
 public:
  Zones();
  // UTC for a name that is none of them.
  absl::TimeZone Find(std::string_view name) const;
  bool Contains(std::string_view name) const { return names_.contains(name); }
  const std::set<std::string, std::less<>>& names() const { return names_; }

 private:
  std::set<std::string, std::less<>> names_;
};

// Times are microseconds since the Unix epoch.

// `2026-11-27 13:05:09`, in the zone.
std::string FormatTime(std::int64_t at_us, absl::TimeZone zone);
// With milliseconds.
std::string FormatTimeExactly(std::int64_t at_us, absl::TimeZone zone);
// `27 Nov 2026`.
std::string FormatDay(std::int64_t at_us, absl::TimeZone zone);
// `UTC+01:00`, at that time.
std::string FormatOffset(std::int64_t at_us, absl::TimeZone zone);
// For a field of type datetime-local: `2026-11-27T13:05`.
std::string FormatForInput(std::int64_t at_us, absl::TimeZone zone);
// What such a field holds; false when it is no date, or one outside of 1970 to 9999.
bool ParseFromInput(std::string_view text, absl::TimeZone zone, std::int64_t& at_us);

// A span for people: `3 days`, `5 h 12 min`, `2.41 s`, `16 ms`. Zero and below is `0 ms`.
std::string FormatSpan(std::int64_t micros);
// How long ago it was or how far ahead it is: `3 min ago`, `in 2 days`.
std::string FormatDistance(std::int64_t at_us, std::int64_t now_us);
// `1,234,567`.
std::string FormatCount(std::int64_t count);
// `1.5 GiB`.
std::string FormatBytes(std::int64_t bytes);

}  // namespace postern::portal

#include "services/statistics/delta.h"

#include <array>
#include <charconv>
#include <vector>

#include "absl/strings/str_split.h"
#include "services/common/base/strings.h"

namespace postern::statistics {
namespace {

constexpr char kInsert[] = "INSERT INTO statistics_journal (delta) VALUES (?)";
constexpr std::string_view kLatencyMark = "~";
constexpr std::size_t kCountFields = 6;
constexpr std::size_t kLatencyFields = 4;

bool ReadNumber(absl::string_view text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

void AppendCounts(std::string& text, std::int64_t minute, std::string_view client_id,
                  const BucketCounts& counts) {
  StrAppend(&text, minute, " ", client_id, " ", counts.accepted, " ", counts.delivered, " ",
            counts.dead, " ", counts.failed_attempts, "\n");
}

void AppendLatency(std::string& text, std::int64_t minute, int step, std::int64_t deliveries) {
  StrAppend(&text, kLatencyMark, " ", minute, " ", step, " ", deliveries, "\n");
}

absl::Status Delta::AddText(std::string_view text) {
  const absl::Status wrong = absl::DataLossError("a row of the statistics' journal is not one");
  for (const absl::string_view line : absl::StrSplit(ToAbsl(text), '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    std::int64_t minute = 0;
    if (fields.front() == ToAbsl(kLatencyMark)) {
      std::int64_t step = 0;
      std::int64_t deliveries = 0;
      if (fields.size() != kLatencyFields || !ReadNumber(fields[1], minute) ||
          !ReadNumber(fields[2], step) || !ReadNumber(fields[3], deliveries)) {
        return wrong;
      }
      latencies[{minute, static_cast<int>(step)}] += deliveries;
      continue;
    }
    BucketCounts one;
    if (fields.size() != kCountFields || !ReadNumber(fields[0], minute) ||
        !ReadNumber(fields[2], one.accepted) || !ReadNumber(fields[3], one.delivered) ||
        !ReadNumber(fields[4], one.dead) || !ReadNumber(fields[5], one.failed_attempts)) {
      return wrong;
    }
    counts[{minute, std::string(fields[1])}].Add(one);
  }
  return absl::OkStatus();
}

absl::Status AppendJournal(db::Connection& connection, std::string_view text) {
  return connection.Execute(kInsert, {text}).status();
}

}  // namespace postern::statistics

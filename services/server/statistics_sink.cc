#include "services/server/statistics_sink.h"

#include <string>

#include "services/statistics/delta.h"

namespace postern::server {

messages::TallySink MakeStatisticsSink() {
  return [](db::Connection& connection, const messages::Tally& tally) {
    std::string text;
    for (const auto& [key, counts] : tally.counts()) {
      statistics::AppendCounts(
          text, key.first, key.second,
          {counts.accepted, counts.delivered, counts.dead, counts.failed_attempts});
    }
    for (const auto& [key, deliveries] : tally.latencies()) {
      statistics::AppendLatency(text, key.first, key.second, deliveries);
    }
    return statistics::AppendJournal(connection, text);
  };
}

}  // namespace postern::server

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "services/common/metrics/metrics.h"

namespace postern::portal {

// Counts and times the requests of one lane by route and status, and writes an access line for
// them, at most kAccessLinesPerSecond. A line never holds an address or a value that somebody
// chose: filters may hold numbers. Not thread-safe.
class AccessLog {
 public:
  explicit AccessLog(metrics::Registry& metrics) : metrics_(metrics) {}

  struct Line {
    std::string_view route;  // As in the table of routes.
    int status = 0;
    std::int64_t began_at_us = 0;
    std::string_view request_id;
    std::string_view user_id;  // Empty: not signed in.
  };
  void Add(const Line& line);

 private:
  prometheus::Counter& CounterOf(std::string_view route, int status);
  metrics::Histogram& HistogramOf(std::string_view route);

  metrics::Registry& metrics_;
  std::map<std::string, prometheus::Counter*, std::less<>> counters_;   // By route and status.
  std::map<std::string, metrics::Histogram*, std::less<>> histograms_;  // By route.
  std::int64_t second_ = 0;
  int written_ = 0;
  std::int64_t suppressed_ = 0;
};

}  // namespace postern::portal

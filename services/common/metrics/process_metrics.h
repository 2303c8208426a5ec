#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace postern::metrics {

// The `process_*` metrics of this process, read from /proc/self. What cannot be read is left out.
// Thread-safe.
std::vector<prometheus::MetricFamily> CollectProcessMetrics();

}  // namespace postern::metrics

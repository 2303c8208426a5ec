#pragma once

#include "services/common/metrics/metrics.h"

namespace postern::worker {

// The worker's metrics, by reference: made once at start.
struct WorkerMetrics {
  explicit WorkerMetrics(metrics::Registry& registry);

  prometheus::Counter& delivered;
  prometheus::Counter& retried;
  prometheus::Counter& dead;
  prometheus::Counter& failed;
  prometheus::Counter& server_away;
  prometheus::Counter& claimed;
  prometheus::Counter& unreadable;
  prometheus::Counter& reports_sent;
  prometheus::Counter& reports_dropped;
  prometheus::Counter& redis_faults;
  metrics::Histogram& attempt_seconds;
  metrics::Histogram& end_to_end_seconds;
  metrics::Histogram& queue_wait_seconds;
  metrics::Histogram& read_batch;
  metrics::Histogram& delivery_batch;
  metrics::Histogram& ack_batch;
  prometheus::Gauge& last_delivery;
  prometheus::Gauge& in_flight_max;
  prometheus::Gauge& queue_lag;
  prometheus::Gauge& queue_pending;
  prometheus::Gauge& queue_oldest;
};

}  // namespace postern::worker

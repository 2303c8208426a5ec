#include "worker/worker_metrics.h"

namespace postern::worker {
namespace {

prometheus::Counter& Deliveries(metrics::Registry& registry, const char* result) {
  return registry.Counter("postern_deliveries_total",
                          "Messages handed to the main server, by what became of them.",
                          {{"result", result}});
}

}  // namespace

WorkerMetrics::WorkerMetrics(metrics::Registry& registry)
    : delivered(Deliveries(registry, "delivered")),
      retried(Deliveries(registry, "retry")),
      dead(Deliveries(registry, "dead")),
      failed(Deliveries(registry, "failed")),
      server_away(registry.Counter("postern_delivery_server_away_total",
                                   "Delivery calls that did not reach a ready server.")),
      claimed(registry.Counter("postern_queue_claimed_total",
                               "Entries taken again after a failure or from a dead worker.")),
      unreadable(registry.Counter("postern_queue_unreadable_entries_total",
                                  "Entries that are no readable envelope.")),
      reports_sent(registry.Counter("postern_attempt_reports_total",
                                    "Failed attempts reported to the main server.")),
      reports_dropped(registry.Counter("postern_attempt_reports_dropped_total",
                                       "Failed attempts that were not reported.")),
      redis_faults(registry.Counter("postern_worker_redis_faults_total",
                                    "Exchanges with Redis that failed.")),
      attempt_seconds(registry.MakeHistogram("postern_delivery_attempt_duration_seconds",
                                             "Duration of the delivery call, for each message.",
                                             metrics::RequestBuckets())),
      end_to_end_seconds(registry.MakeHistogram("postern_delivery_end_to_end_seconds",
                                                "From acceptance at the edge to delivery.",
                                                metrics::EndToEndBuckets())),
      queue_wait_seconds(registry.MakeHistogram("postern_delivery_queue_wait_seconds",
                                                "From the queue to this worker's hand.",
                                                metrics::RequestBuckets())),
      read_batch(registry.MakeHistogram("postern_queue_read_batch_size",
                                        "Entries of one read that found any.",
                                        metrics::BatchBuckets())),
      delivery_batch(registry.MakeHistogram("postern_delivery_batch_size",
                                            "Messages of one delivery call.",
                                            metrics::BatchBuckets())),
      ack_batch(registry.MakeHistogram("postern_queue_ack_batch_size",
                                       "Entries of one acknowledgement.", metrics::BatchBuckets())),
      last_delivery(registry.Gauge("postern_last_delivery_timestamp_seconds",
                                   "When a message was delivered last.")),
      in_flight_max(registry.Gauge("postern_worker_in_flight_max",
                                   "Most messages that this worker takes at a time.")),
      queue_lag(registry.Gauge("postern_queue_lag", "Entries that no worker has read yet.")),
      queue_pending(
          registry.Gauge("postern_queue_pending", "Entries read and not yet acknowledged.")),
      queue_oldest(registry.Gauge("postern_queue_oldest_entry_timestamp_seconds",
                                  "When the oldest entry of the queue came; 0 when it is empty.")) {
}

}  // namespace postern::worker

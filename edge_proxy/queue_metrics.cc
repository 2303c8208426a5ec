#include "edge_proxy/queue_metrics.h"

namespace postern::edge {

QueueMetrics::QueueMetrics(metrics::Registry& registry)
    : duration(registry.MakeHistogram(
          "postern_enqueue_duration_seconds",
          "From handing a message to the queue to its acknowledgement on disk.",
          metrics::RequestBuckets())),
      batch_messages(registry.MakeHistogram("postern_enqueue_batch_messages",
                                            "Messages that shared one pipeline and its fsync.",
                                            metrics::BatchBuckets())),
      accepted(registry.Counter("postern_messages_accepted_total",
                                "Messages that the queue acknowledged as on disk.")),
      connects(registry.Counter("postern_queue_connects_total",
                                "Connections to Redis that could be opened.")),
      waiting(registry.Gauge("postern_enqueue_waiting", "Messages that wait for the queue.")) {
  static constexpr std::array<const char*, kEnqueueFaults> kReasons{
      "disconnected", "timeout", "refused", "overloaded", "unsafe"};
  for (std::size_t i = 0; i < kEnqueueFaults; ++i) {
    faults_[i] = &registry.Counter("postern_enqueue_errors_total",
                                   "Messages that did not get into the queue, by reason.",
                                   {{"reason", kReasons[i]}});
  }
}

}  // namespace postern::edge

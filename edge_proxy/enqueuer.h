#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "edge_proxy/completion.h"
#include "edge_proxy/durable_message.h"
#include "edge_proxy/key_allowance.h"
#include "edge_proxy/queue_metrics.h"
#include "edge_proxy/submit_script.h"
#include "services/common/base/uuid.h"
#include "services/common/redis/connection.h"
#include "services/common/redis/queue_safety.h"

namespace postern::edge {

// Puts one lane's messages into the queue, over one Redis connection of its own (group commit):
// messages that come together share a pipeline, which is one transaction with one fsync. The first
// of a quiet moment goes at once; after it, pipelines start at least `flush_interval` apart, more
// while deliveries lag. The connection is opened again by itself, tried while idle, and given up
// when an exchange takes longer than kExchangeTimeout. All calls on the lane's thread unless
// stated.
class Enqueuer {
 public:
  struct Settings {
    redis::Settings redis;
    std::chrono::microseconds flush_interval{2000};
    // How old the oldest registration under way is, 0 for none: see flush_pace.h. On the lane's
    // thread.
    std::function<std::chrono::milliseconds()> registration_age;
  };

  // `io` is the lane's; `safety` and `metrics` must outlive this.
  Enqueuer(boost::asio::io_context& io, Settings settings, redis::QueueSafety& safety,
           OnDurable on_durable, QueueMetrics& metrics);
  Enqueuer(const Enqueuer&) = delete;
  Enqueuer& operator=(const Enqueuer&) = delete;

  // Begins to connect once the lane runs. Any thread.
  void Start();
  // Closes the connection; what waits is answered Unavailable.
  void Stop();

  // Completes with OK once Redis has the entry on disk, and never before. Unavailable when there is
  // no connection, it broke (then the entry may be there all the same), Redis refused the entry,
  // its settings are unsafe, or too much waits already.
  boost::asio::awaitable<absl::Status> Append(std::uint32_t shard, const Uuid& id,
                                              std::string envelope);

  // A message on its way into the queue; `terms`: what Redis is to look at before it takes it.
  struct Submission {
    Uuid id;
    std::string envelope;
    std::optional<SubmitTerms> terms;
  };
  // As Append, for messages of one client that go under terms or in a batch: in one pipeline and
  // with one fsync, an outcome for each in their order. At most kPipelineMessagesMax. When there is
  // no room for all of them, none is sent.
  boost::asio::awaitable<std::vector<SubmitResult>> Submit(std::uint32_t shard,
                                                           std::vector<Submission> submissions);

  // When a message that was refused now would find room, by what waits and how fast it goes of
  // late: 1 to kRetryAfterMaxSeconds.
  std::int64_t RetryAfterSeconds() const;

  // Any thread.
  bool connected() const { return connected_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;

  // What was handed to Submit in one call. Its results lie in the coroutine that waits for it.
  struct Batch {
    std::size_t left = 0;  // Messages without an outcome.
    Completion handler;
  };
  // What a message of Submit has beside its envelope.
  struct Terms {
    std::optional<SubmitTerms> terms;
    std::int64_t key_block = 0;  // What KeyAllowance said.
    SubmitResult* result = nullptr;
    std::shared_ptr<Batch> batch;
  };
  struct Waiter {
    Uuid id;
    std::uint32_t shard;
    Clock::time_point since;
    std::string envelope;
    Completion handler;            // Of Append.
    std::unique_ptr<Terms> terms;  // Of Submit.
  };

  static bool IsUnderTerms(const Waiter& waiter) {
    return waiter.terms != nullptr && waiter.terms->terms.has_value();
  }
  // OK when the messages may wait; counts the refusal otherwise.
  absl::Status Admit(std::size_t messages, std::size_t bytes);
  void Push(std::uint32_t shard, const Uuid& id, std::string envelope, Completion handler);
  void PushAll(std::uint32_t shard, std::vector<Submission>& submissions,
               std::vector<SubmitResult>& results, Completion handler);
  void Refuse(absl::Status status, Completion handler);
  void Wake();

  boost::asio::awaitable<void> Run();
  boost::asio::awaitable<absl::Status> Open(redis::Connection& connection);
  boost::asio::awaitable<absl::Status> TryTransaction(redis::Connection& connection);
  // Sends pipelines until the connection breaks.
  boost::asio::awaitable<absl::Status> Pump(redis::Connection& connection);
  boost::asio::awaitable<absl::Status> Flush(redis::Connection& connection);
  boost::asio::awaitable<absl::Status> Ping(redis::Connection& connection);
  // True when something waits, false when nothing came for kIdlePingInterval.
  boost::asio::awaitable<bool> AwaitWork();
  boost::asio::awaitable<void> Sleep(Clock::time_point until);

  std::vector<Waiter> TakePipeline();
  // A pipeline as Redis gets it. A command may be of several messages.
  struct Commands {
    std::string wire;
    std::vector<std::vector<std::size_t>> messages;  // By command: places in the pipeline.
  };
  Commands CommandsOf(const std::vector<Waiter>& pipeline);
  // Takes the room for its key. True for a message of which nothing but its key is to be looked at.
  bool TakeRoom(const Waiter& waiter);
  void AppendKeyed(const std::vector<Waiter>& pipeline, std::uint32_t shard,
                   std::vector<std::size_t>& places, Commands& commands);
  void AppendCommandOf(const Waiter& waiter, std::string& wire);
  // The reply to each message.
  static std::vector<redis::Reply> RepliesOf(const Commands& commands,
                                             const std::vector<redis::Reply>& replies);
  // After the answer to a message under terms: what became of the room for its key.
  void AccountKey(const Terms& terms, SubmitResult::Kind kind);
  void Settle(std::vector<Waiter>& pipeline, std::vector<redis::Reply> replies);
  // Redis took nothing of it.
  void Refused(std::vector<Waiter>& pipeline, const absl::Status& status);
  // The entry id when the message was added, empty otherwise.
  std::string_view Judge(const Waiter& waiter, const redis::Reply& reply, absl::Status& status);
  // Redis has forgotten the script: these go once more, with it, before everything else. They are
  // taken out of `pipeline`, with their replies.
  void SendAgain(std::vector<Waiter>& pipeline, std::vector<redis::Reply>& replies);
  static void Complete(Waiter& waiter, absl::Status status);
  void ReportWaiting(std::size_t waiting);
  void MeasureRate(std::size_t messages);
  static void Fail(std::vector<Waiter>& waiters, const absl::Status& status);
  void Disconnected(const absl::Status& status);

  boost::asio::io_context& io_;
  const Settings settings_;
  redis::QueueSafety& safety_;
  const OnDurable on_durable_;
  QueueMetrics& metrics_;

  std::vector<Waiter> waiting_;
  std::size_t waiting_bytes_ = 0;  // Of what waits and what is in the pipeline.
  std::size_t waiting_reported_ = 0;
  double per_second_ = 0;  // Messages acknowledged of late; 0 before the first.
  Clock::time_point last_flush_;
  std::size_t last_pipeline_messages_ = 0;
  boost::asio::steady_timer timer_;
  KnownScripts known_scripts_;  // On this connection.
  KeyAllowance key_allowance_;
  bool idle_ = false;  // The pump sleeps until something comes.
  bool stopping_ = false;
  redis::Connection* connection_ = nullptr;
  std::atomic<bool> connected_{false};
};

}  // namespace postern::edge

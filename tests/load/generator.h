#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/load/client_folder.h"
#include "tests/load/connection.h"
#include "tests/load/latency.h"
#include "tests/load/ledger_writer.h"
#include "tests/load/pace.h"
#include "tests/load/request_text.h"

namespace postern::load {

// What a run does.
struct RunSettings {
  std::string host = "localhost";
  std::uint16_t port = 8443;
  std::string path = "/api/v1/messages";
  std::string clients_folder;
  std::string trust_file;
  std::string ledger_path;  // Empty: no ledger.
  int connections = 64;
  double rate = 0;         // Requests a second, open loop; 0: closed loop.
  bool impatient = false;  // Sends on after a refusal, whatever Retry-After says.
  int body_chars = 160;
  bool keyed = false;                       // Each message has an idempotency key.
  int batch = 0;                            // Messages of a request, as a batch; 0: one, by itself.
  std::chrono::seconds seconds{60};         // The warm-up included.
  std::chrono::seconds warmup_seconds{10};  // Left out of the figures.
};

// Counts of messages in a run, or in a part of it.
struct Counts {
  std::int64_t attempted = 0;
  std::int64_t acknowledged = 0;
  std::int64_t refused = 0;
  std::int64_t refused_without_retry_after = 0;  // Of those with 429 or 503.
  std::int64_t indeterminate = 0;
};

// What came out. The window is the run without its warm-up.
struct RunResult {
  Counts total;
  Counts window;
  std::int64_t window_from_us = 0;  // Microseconds since the Unix epoch.
  std::int64_t window_until_us = 0;
  std::int64_t ended_at_us = 0;  // When the last request was sent.
  std::int64_t failed_connects = 0;
  std::int64_t overdue = 0;  // Open loop: due requests that no connection was free for at the end.
  LatencyCounts latencies;   // Of acknowledged requests in the window.
  double cpu_us_per_request = 0;  // Of this process, in the window.
};

// Sends requests until the time is over, or SIGINT or SIGTERM comes; then waits for the answers.
// Progress goes to stderr, a line a second. Run once.
class Generator : public ConnectionOwner {
 public:
  // InvalidArgument, NotFound or FailedPrecondition when the settings cannot be used; errors of the
  // ledger.
  static absl::StatusOr<std::unique_ptr<Generator>> Create(const RunSettings& settings);
  ~Generator() override;

  // An error when the ledger could not be written.
  absl::StatusOr<RunResult> Run();

 private:
  using Clock = std::chrono::steady_clock;
  // What is known of the request that a connection waits for.
  struct InFlight {
    std::vector<Attempt> attempts;  // One; of a batch, all its messages.
    Clock::time_point intended;
  };

  Generator(const RunSettings& settings, std::vector<Client> clients, Target target,
            std::unique_ptr<LedgerWriter> ledger);
  void OnReady(Connection& connection) override;
  void OnAnswer(Connection& connection, const Answer& answer) override;
  void OnUnanswered(Connection& connection) override;
  void OnNotConnected(Connection& connection) override;

  void SendOn(Connection& connection, Clock::time_point intended);
  void SendDue();
  void Record(const OutcomeRecord& record);
  void RecordBatch(const InFlight& in_flight, const Answer& answer);
  // One message's outcome; `id`: nullopt for a refusal.
  void RecordOutcome(const Attempt& attempt, const Answer& answer,
                     const std::optional<MessageId>& id);

  void PaceTick();
  void SecondTick();
  void PrintProgress();
  void BeginWindow();
  void EndWindow();
  void BeginDrain();
  void FinishIfDrained(bool give_up);

  const RunSettings settings_;
  std::vector<Client> clients_;
  const Target target_;
  std::unique_ptr<LedgerWriter> ledger_;
  RequestMaker maker_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer pace_timer_{io_};
  boost::asio::steady_timer second_timer_{io_};
  boost::asio::signal_set signals_{io_};
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::optional<MessageId>> outcomes_;  // Of the batch that is being read.
  std::vector<InFlight> in_flight_;                 // By the connection's place.
  std::deque<Connection*> idle_;                    // Open loop: ready and nothing to send.
  std::optional<Pace> pace_;

  enum class Phase { kWarmUp, kWindow, kDrain, kDone };
  Phase phase_ = Phase::kWarmUp;
  std::int64_t second_ = 0;
  Clock::time_point next_second_;
  Clock::time_point drain_until_;
  Counts last_second_;
  LatencyCounts second_latencies_;
  Counts at_window_start_;
  std::int64_t cpu_us_at_window_start_ = 0;
  RunResult result_;
};

}  // namespace postern::load

#include "tests/load/generator.h"

#include <sys/resource.h>

#include <boost/asio/ip/address.hpp>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/base/time.h"

namespace postern::load {
namespace {

namespace asio = boost::asio;

// Processor time of this process, user and system.
std::int64_t CpuMicros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_usec;
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

absl::StatusOr<Target> Resolve(const RunSettings& settings) {
  asio::io_context io;
  asio::ip::tcp::resolver resolver(io);
  boost::system::error_code error;
  const auto found =
      resolver.resolve(asio::ip::tcp::v4(), settings.host, std::to_string(settings.port), error);
  if (error || found.empty()) {
    return absl::NotFoundError(absl::StrCat("no address for ", settings.host));
  }
  Target target;
  target.endpoint = found.begin()->endpoint();
  target.host = settings.host;
  target.patient = !settings.impatient;
  if (settings.batch > 0) target.answer_bytes = kBatchAnswerBytesMax;
  return target;
}

RequestMaker::Shape ShapeOf(const RunSettings& settings) {
  RequestMaker::Shape shape;
  shape.body_chars = static_cast<std::size_t>(settings.body_chars);
  shape.keyed = settings.keyed;
  shape.batch = static_cast<std::size_t>(settings.batch);
  return shape;
}

Counts Difference(const Counts& later, const Counts& earlier) {
  Counts counts;
  counts.attempted = later.attempted - earlier.attempted;
  counts.acknowledged = later.acknowledged - earlier.acknowledged;
  counts.refused = later.refused - earlier.refused;
  counts.indeterminate = later.indeterminate - earlier.indeterminate;
  return counts;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Generator>> Generator::Create(const RunSettings& settings) {
  if (settings.warmup_seconds >= settings.seconds) {
    return absl::InvalidArgumentError("the warm-up takes the whole run");
  }
  auto target = Resolve(settings);
  if (!target.ok()) return target.status();
  auto clients = ReadClients(settings.clients_folder, settings.trust_file);
  if (!clients.ok()) return clients.status();
  std::unique_ptr<LedgerWriter> ledger;
  if (!settings.ledger_path.empty()) {
    auto created = LedgerWriter::Create(settings.ledger_path);
    if (!created.ok()) return created.status();
    ledger = *std::move(created);
  }
  return std::unique_ptr<Generator>(
      new Generator(settings, *std::move(clients), *std::move(target), std::move(ledger)));
}

Generator::Generator(const RunSettings& settings, std::vector<Client> clients, Target target,
                     std::unique_ptr<LedgerWriter> ledger)
    : settings_(settings),
      clients_(std::move(clients)),
      target_(std::move(target)),
      ledger_(std::move(ledger)),
      maker_(absl::StrCat(settings.host, ":", settings.port),
             absl::StrCat(settings.path, settings.batch > 0 ? ":batch" : ""), ShapeOf(settings),
             Random::Seeded()) {
  for (std::size_t i = 0; ledger_ && i < clients_.size(); ++i) {
    ClientRecord record;
    record.index = static_cast<std::uint16_t>(i);
    record.client_id = clients_[i].client_id;
    ledger_->Add(record);
  }
  const auto count = static_cast<std::size_t>(settings_.connections);
  in_flight_.resize(count);
  for (std::size_t place = 0; place < count; ++place) {
    connections_.push_back(std::make_unique<Connection>(io_, *clients_[place % clients_.size()].tls,
                                                        target_, *this, place));
  }
}

Generator::~Generator() = default;

absl::StatusOr<RunResult> Generator::Run() {
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) BeginDrain();
  });
  const auto start = Clock::now();
  for (const auto& connection : connections_) connection->Open();
  if (settings_.rate > 0) {
    pace_.emplace(settings_.rate, start);
    PaceTick();
  }
  next_second_ = start;
  if (settings_.warmup_seconds.count() == 0) BeginWindow();
  SecondTick();
  io_.run();
  if (ledger_) {
    const absl::Status written = ledger_->Close();
    if (!written.ok()) return written;
  }
  return result_;
}

void Generator::OnReady(Connection& connection) {
  if (phase_ >= Phase::kDrain) return connection.Shut();
  const auto now = Clock::now();
  if (!pace_) return SendOn(connection, now);
  if (const auto due = pace_->TakeDue(now)) return SendOn(connection, *due);
  idle_.push_back(&connection);
}

void Generator::SendOn(Connection& connection, Clock::time_point intended) {
  InFlight& in_flight = in_flight_[connection.place()];
  maker_.Make(connection.request(), in_flight.attempts);
  in_flight.intended = intended;
  result_.total.attempted += static_cast<std::int64_t>(in_flight.attempts.size());
  for (const Attempt& attempt : in_flight.attempts) {
    if (!ledger_) break;
    AttemptRecord record;
    record.client = static_cast<std::uint16_t>(connection.place() % clients_.size());
    record.nonce = attempt.nonce;
    record.body_sha256 = attempt.body_sha256;
    record.at_us = NowMicros();
    ledger_->Add(record);
  }
  connection.Send();
}

void Generator::SendDue() {
  while (!idle_.empty()) {
    const auto due = pace_->TakeDue(Clock::now());
    if (!due) return;
    Connection* connection = idle_.front();
    idle_.pop_front();
    SendOn(*connection, *due);
  }
}

void Generator::Record(const OutcomeRecord& record) {
  if (ledger_) ledger_->Add(record);
}

void Generator::RecordOutcome(const Attempt& attempt, const Answer& answer,
                              const std::optional<MessageId>& id) {
  OutcomeRecord record;
  record.nonce = attempt.nonce;
  record.status = static_cast<std::uint16_t>(answer.status);
  record.at_us = NowMicros();
  if (id) {
    record.outcome = Outcome::kAcknowledged;
    record.id = *id;
    ++result_.total.acknowledged;
  } else {
    record.outcome = Outcome::kRefused;
    ++result_.total.refused;
    const bool says_when = answer.retry_after > std::chrono::seconds(0);
    if ((answer.status == 429 || answer.status == 503) && !says_when) {
      ++result_.total.refused_without_retry_after;
    }
  }
  Record(record);
}

void Generator::RecordBatch(const InFlight& in_flight, const Answer& answer) {
  const bool has_outcomes = answer.status == 202 || answer.status == 207;
  const bool read =
      has_outcomes && ParseBatchAnswer(answer.body, in_flight.attempts.size(), outcomes_);
  for (std::size_t i = 0; i < in_flight.attempts.size(); ++i) {
    RecordOutcome(in_flight.attempts[i], answer, read ? outcomes_[i] : std::nullopt);
  }
}

void Generator::OnAnswer(Connection& connection, const Answer& answer) {
  const InFlight& in_flight = in_flight_[connection.place()];
  const auto latency = Clock::now() - in_flight.intended;
  const std::int64_t before = result_.total.acknowledged;
  if (settings_.batch > 0) {
    RecordBatch(in_flight, answer);
  } else {
    RecordOutcome(in_flight.attempts.front(), answer,
                  answer.status == 202 ? answer.id : std::nullopt);
  }
  if (result_.total.acknowledged > before) {
    second_latencies_.Add(latency);
    if (phase_ == Phase::kWindow) result_.latencies.Add(latency);
  }
  if (phase_ >= Phase::kDrain) {
    connection.Shut();
    FinishIfDrained(false);
  }
}

void Generator::OnUnanswered(Connection& connection) {
  for (const Attempt& attempt : in_flight_[connection.place()].attempts) {
    OutcomeRecord record;
    record.nonce = attempt.nonce;
    record.outcome = Outcome::kIndeterminate;
    record.at_us = NowMicros();
    Record(record);
    ++result_.total.indeterminate;
  }
  if (phase_ >= Phase::kDrain) {
    connection.Shut();
    FinishIfDrained(false);
  }
}

void Generator::OnNotConnected(Connection&) { ++result_.failed_connects; }

void Generator::PaceTick() {
  if (phase_ >= Phase::kDrain) return;
  SendDue();
  pace_timer_.expires_after(kPaceTick);
  pace_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) PaceTick();
  });
}

void Generator::SecondTick() {
  const auto now = Clock::now();
  for (const auto& connection : connections_) connection->AbortIfOlderThan(now - kAnswerTimeout);
  if (phase_ == Phase::kDrain) return FinishIfDrained(now >= drain_until_);
  if (second_ > 0) PrintProgress();
  if (phase_ == Phase::kWarmUp && second_ == settings_.warmup_seconds.count()) BeginWindow();
  const bool failed = ledger_ && !ledger_->status().ok();
  if (second_ >= settings_.seconds.count() || failed) BeginDrain();
  ++second_;
  next_second_ += 1s;
  second_timer_.expires_at(next_second_);
  second_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) SecondTick();
  });
}

void Generator::PrintProgress() {
  const Counts counts = Difference(result_.total, last_second_);
  last_second_ = result_.total;
  const std::int64_t overdue = pace_ ? pace_->Overdue(Clock::now()) : 0;
  absl::FPrintF(stderr, "%4d s  %6d/s  p99 %8.2f ms  refused %d  indeterminate %d%s\n", second_,
                counts.acknowledged, second_latencies_.QuantileMillis(0.99), counts.refused,
                counts.indeterminate, overdue > 0 ? absl::StrCat("  overdue ", overdue) : "");
  second_latencies_.Clear();
}

void Generator::BeginWindow() {
  phase_ = Phase::kWindow;
  at_window_start_ = result_.total;
  cpu_us_at_window_start_ = CpuMicros();
  result_.window_from_us = NowMicros();
  absl::FPrintF(stderr, "window begins\n");
}

void Generator::EndWindow() {
  result_.window_until_us = NowMicros();
  result_.window = Difference(result_.total, at_window_start_);
  const std::int64_t cpu_us = CpuMicros() - cpu_us_at_window_start_;
  if (result_.window.acknowledged > 0) {
    result_.cpu_us_per_request =
        static_cast<double>(cpu_us) / static_cast<double>(result_.window.acknowledged);
  }
  absl::FPrintF(stderr, "window ends\n");
}

void Generator::BeginDrain() {
  if (phase_ >= Phase::kDrain) return;
  if (phase_ == Phase::kWindow) EndWindow();
  phase_ = Phase::kDrain;
  result_.ended_at_us = NowMicros();
  if (pace_) result_.overdue = pace_->Overdue(Clock::now());
  drain_until_ = Clock::now() + kDrainTimeout;
  for (const auto& connection : connections_) {
    if (!connection->answer_awaited()) connection->Shut();
  }
  FinishIfDrained(false);
}

void Generator::FinishIfDrained(bool give_up) {
  bool awaited = false;
  for (const auto& connection : connections_) {
    if (!connection->answer_awaited()) continue;
    awaited = true;
    if (give_up) OnUnanswered(*connection);
  }
  if (phase_ == Phase::kDone || (awaited && !give_up)) return;
  phase_ = Phase::kDone;
  pace_timer_.cancel();
  second_timer_.cancel();
  signals_.cancel();
  io_.stop();
}

}  // namespace postern::load

// What one pipeline carries, and what becomes of it.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "edge_proxy/enqueuer.h"
#include "edge_proxy/limits.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"
#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"
#include "services/common/redis/transaction.h"

namespace postern::edge {
namespace {

constexpr char kRefusedMessage[] = "the queue refused the message";

void LogRefused(const absl::Status& status) {
  static log::RateLimit limit(/*interval_ms=*/5'000);
  if (limit.Allow()) log::Error("queue_refused_message", "reason", status.message());
}

}  // namespace

std::vector<Enqueuer::Waiter> Enqueuer::TakePipeline() {
  std::vector<Waiter> pipeline;
  if (waiting_.size() <= kPipelineMessagesMax) {
    pipeline.swap(waiting_);
    waiting_.reserve(pipeline.size());
    return pipeline;
  }
  // A batch shares one pipeline, which it always fits into.
  const auto batch_at = [this](std::size_t at) {
    return waiting_[at].terms == nullptr ? nullptr : waiting_[at].terms->batch.get();
  };
  std::size_t count = kPipelineMessagesMax;
  while (count > 1 && batch_at(count) != nullptr && batch_at(count) == batch_at(count - 1)) --count;
  if (count == 1) count = kPipelineMessagesMax;
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
  pipeline.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return pipeline;
}

Enqueuer::Commands Enqueuer::CommandsOf(const std::vector<Waiter>& pipeline) {
  constexpr std::size_t kCommandOverhead = 96;
  Commands commands;
  std::size_t bytes = 0;
  for (const Waiter& waiter : pipeline) bytes += waiter.envelope.size() + kCommandOverhead;
  commands.wire.reserve(bytes);
  commands.messages.reserve(pipeline.size());
  std::map<std::uint32_t, std::vector<std::size_t>> keyed;  // That go together, by shard.
  redis::BeginTransaction(commands.wire);
  for (std::size_t i = 0; i < pipeline.size(); ++i) {
    const Waiter& waiter = pipeline[i];
    if (TakeRoom(waiter)) {
      keyed[waiter.shard].push_back(i);
      continue;
    }
    // A client's messages keep their order, so those before it go first.
    AppendKeyed(pipeline, waiter.shard, keyed[waiter.shard], commands);
    AppendCommandOf(waiter, commands.wire);
    commands.messages.push_back({i});
  }
  for (auto& [shard, places] : keyed) AppendKeyed(pipeline, shard, places, commands);
  redis::EndTransaction(commands.wire);
  return commands;
}

bool Enqueuer::TakeRoom(const Waiter& waiter) {
  if (!IsUnderTerms(waiter)) return false;
  const SubmitTerms& terms = *waiter.terms->terms;
  if (terms.key_name.empty()) return false;
  waiter.terms->key_block = key_allowance_.Use(terms.client_id, KeyBlockMax(terms), Clock::now());
  return waiter.terms->key_block == 0 && terms.messages_per_day == 0;
}

void Enqueuer::AppendKeyed(const std::vector<Waiter>& pipeline, std::uint32_t shard,
                           std::vector<std::size_t>& places, Commands& commands) {
  if (places.empty()) return;
  std::vector<KeyedMessage> messages;
  messages.reserve(places.size());
  for (const std::size_t place : places) {
    messages.push_back({pipeline[place].envelope, &*pipeline[place].terms->terms});
  }
  AppendKeyedMessages(commands.wire, shard, messages, known_scripts_);
  commands.messages.push_back(std::move(places));
  places.clear();
}

void Enqueuer::AppendCommandOf(const Waiter& waiter, std::string& wire) {
  if (!IsUnderTerms(waiter)) {
    redis::AppendCommand(wire, "XADD", redis::StreamKey(waiter.shard), "*", redis::kEnvelopeField,
                         waiter.envelope);
    return;
  }
  AppendSubmit(wire, waiter.shard, waiter.envelope, *waiter.terms->terms, waiter.terms->key_block,
               known_scripts_);
}

std::vector<redis::Reply> Enqueuer::RepliesOf(const Commands& commands,
                                              const std::vector<redis::Reply>& replies) {
  std::size_t count = 0;
  for (const auto& places : commands.messages) count += places.size();
  std::vector<redis::Reply> result(count, redis::Reply(nullptr));
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const std::vector<std::size_t>& places = commands.messages[i];
    const std::vector<redis::Reply> elements = replies[i].Elements();
    // An error is one of all its messages.
    const bool one_each = places.size() == elements.size() && elements.front().IsArray();
    for (std::size_t j = 0; j < places.size(); ++j) {
      result[places[j]] = one_each ? elements[j] : replies[i];
    }
  }
  return result;
}

void Enqueuer::AccountKey(const Terms& terms, SubmitResult::Kind kind) {
  using Kind = SubmitResult::Kind;
  if (terms.terms->key_name.empty()) return;
  const std::string& client_id = terms.terms->client_id;
  const bool added = kind == Kind::kAdded;
  if (!added) key_allowance_.Return(client_id, terms.key_block);
  if (terms.key_block == 0) return;
  if (added) key_allowance_.Granted(client_id);
  if (kind == Kind::kClientFull || kind == Kind::kShardFull) key_allowance_.Refused(client_id);
}

void Enqueuer::SendAgain(std::vector<Waiter>& pipeline, std::vector<redis::Reply>& replies) {
  std::vector<Waiter> again;
  std::vector<Waiter> settled;
  std::vector<redis::Reply> answers;
  for (std::size_t i = 0; i < pipeline.size(); ++i) {
    if (replies[i].IsError() && replies[i].text().starts_with("NOSCRIPT")) {
      waiting_bytes_ += pipeline[i].envelope.size();
      AccountKey(*pipeline[i].terms, SubmitResult::Kind::kFailed);
      again.push_back(std::move(pipeline[i]));
    } else {
      settled.push_back(std::move(pipeline[i]));
      answers.push_back(std::move(replies[i]));
    }
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
  known_scripts_ = {};
  pipeline = std::move(settled);
  replies = std::move(answers);
}

std::string_view Enqueuer::Judge(const Waiter& waiter, const redis::Reply& reply,
                                 absl::Status& status) {
  if (!IsUnderTerms(waiter)) {
    if (!reply.IsError()) return reply.text();
    status = reply.ToStatus();
    return {};
  }
  absl::StatusOr<SubmitReply> read = ReadSubmitReply(reply);
  AccountKey(*waiter.terms, read.ok() ? read->result.kind : SubmitResult::Kind::kFailed);
  if (!read.ok()) {
    status = read.status();
    return {};
  }
  *waiter.terms->result = std::move(read->result);
  return read->entry_id;
}

void Enqueuer::Settle(std::vector<Waiter>& pipeline, std::vector<redis::Reply> replies) {
  const bool forgotten = std::any_of(replies.begin(), replies.end(), [](const redis::Reply& reply) {
    return reply.IsError() && reply.text().starts_with("NOSCRIPT");
  });
  if (forgotten) SendAgain(pipeline, replies);
  const Clock::time_point now = Clock::now();
  std::vector<DurableMessage> durable;
  durable.reserve(pipeline.size());
  std::vector<absl::Status> statuses(pipeline.size());
  for (std::size_t i = 0; i < pipeline.size(); ++i) {
    const Waiter& waiter = pipeline[i];
    const std::string_view entry_id = Judge(waiter, replies[i], statuses[i]);
    if (!statuses[i].ok()) {
      metrics_.errors(EnqueueFault::kRefused).Increment();
      LogRefused(statuses[i]);
      statuses[i] = absl::UnavailableError(kRefusedMessage);
    }
    if (entry_id.empty()) continue;
    DurableMessage message{waiter.id, waiter.shard, entry_id, waiter.envelope};
    durable.push_back(message);
    metrics_.duration.Observe(std::chrono::duration<double>(now - waiter.since).count());
  }
  metrics_.accepted.Increment(static_cast<double>(durable.size()));
  metrics_.batch_messages.Observe(static_cast<double>(pipeline.size()));
  if (!durable.empty()) on_durable_(durable, NowMicros());
  for (std::size_t i = 0; i < pipeline.size(); ++i) Complete(pipeline[i], std::move(statuses[i]));
}

void Enqueuer::Refused(std::vector<Waiter>& pipeline, const absl::Status& status) {
  metrics_.errors(EnqueueFault::kRefused).Increment(static_cast<double>(pipeline.size()));
  LogRefused(status);
  for (const Waiter& waiter : pipeline) {
    if (IsUnderTerms(waiter)) AccountKey(*waiter.terms, SubmitResult::Kind::kFailed);
  }
  known_scripts_ = {};
  Fail(pipeline, absl::UnavailableError(kRefusedMessage));
}

void Enqueuer::Complete(Waiter& waiter, absl::Status status) {
  if (waiter.terms == nullptr) {
    std::move(waiter.handler)(std::move(status));
    return;
  }
  SubmitResult& result = *waiter.terms->result;
  if (!status.ok()) {
    result.status = std::move(status);
  } else if (!waiter.terms->terms.has_value()) {
    result.kind = SubmitResult::Kind::kAdded;
  }
  Batch& batch = *waiter.terms->batch;
  if (--batch.left == 0) std::move(batch.handler)(absl::OkStatus());
}

void Enqueuer::Fail(std::vector<Waiter>& waiters, const absl::Status& status) {
  for (Waiter& waiter : waiters) Complete(waiter, status);
}

}  // namespace postern::edge

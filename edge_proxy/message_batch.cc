// `POST /api/v1/messages:batch`.
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>
#include <vector>

#include "edge_proxy/answers.h"
#include "edge_proxy/batch_answer.h"
#include "edge_proxy/batch_request.h"
#include "edge_proxy/limits.h"
#include "edge_proxy/message_intake.h"
#include "edge_proxy/trace_context.h"
#include "services/common/base/time.h"

namespace postern::edge {
namespace {

namespace asio = boost::asio;

// The problem that answers the whole batch before it is read; nullopt when there is none.
std::optional<http::Response> RefuseUnread(const http::Request& request,
                                           const std::string& request_id) {
  if (!IsJsonMediaType(request.Field("content-type").value_or(""))) {
    return Answer(ProblemCode::kUnsupportedMediaType,
                  "Content-Type must be application/json, charset utf-8 if any.", request_id);
  }
  if (request.Field("idempotency-key").has_value()) {
    return Answer(ProblemCode::kInvalidIdempotencyKey,
                  "A batch has no key of its own: give each message a member idempotency_key.",
                  request_id);
  }
  return std::nullopt;
}

}  // namespace

asio::awaitable<absl::Status> MessageIntake::SealAll(const ClientRecord& client,
                                                     std::vector<ParsedMessage>& messages,
                                                     std::string_view trace,
                                                     const Uuid& request_uuid, Batch& batch) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].problem.has_value()) {
      batch.outcomes[i].problem = std::move(messages[i].problem);
      continue;
    }
    if (i >= batch.allowed) {
      batch.outcomes[i].problem = batch.past_limit;
      continue;
    }
    std::optional<std::string> key;
    if (!messages[i].request.idempotency_key.empty()) {
      key = std::move(messages[i].request.idempotency_key);
    }
    absl::StatusOr<Sealed> sealed =
        Seal(client, std::move(messages[i].request), key, trace, request_uuid);
    if (!sealed.ok()) co_return sealed.status();
    batch.places.push_back(i);
    batch.records.push_back(std::move(sealed->record));
    batch.submissions.push_back(std::move(sealed->submission));
    if (batch.places.size() % kBatchStep == 0) {
      co_await asio::post(executor, asio::use_awaitable);
    }
  }
  co_return absl::OkStatus();
}

asio::awaitable<http::Response> MessageIntake::PostBatch(http::Request& request,
                                                         std::shared_ptr<const ClientRecord> client,
                                                         RequestContext& context) {
  std::optional<http::Response> refused = RefuseUnread(request, context.request_id);
  if (refused.has_value()) co_return *std::move(refused);
  ParsedBatch parsed = ParseBatchRequest(request.body, client->client_id);
  // It may be large, and is not needed any more.
  std::string().swap(request.body);
  if (parsed.problem.has_value()) co_return ProblemResponse(*parsed.problem, context.request_id);

  Batch batch;
  batch.outcomes.resize(parsed.messages.size());
  const RateLimit limit = client->limit;
  RateState rate = client->meter->Take(limit, request.received_at_us,
                                       static_cast<std::int64_t>(parsed.messages.size()));
  batch.past_limit = RateLimitedProblem(limit, rate);
  if (!rate.allowed) {
    http::Response response = ProblemResponse(batch.past_limit, context.request_id);
    AddRateFields(limit, rate, response);
    co_return response;
  }
  batch.allowed = limit.limited() ? static_cast<std::size_t>(rate.taken) : parsed.messages.size();
  const absl::Status sealed =
      co_await SealAll(*client, parsed.messages, TraceOf(request), context.request_uuid, batch);
  if (!sealed.ok()) {
    co_return Answer(ProblemCode::kNotReady, "The edge has no data key to encrypt with.",
                     context.request_id);
  }
  const std::int64_t sealed_at_us = NowMicros();
  const bool tried = !batch.submissions.empty();
  std::vector<SubmitResult> results =
      co_await enqueuer_.Submit(client->shard, std::move(batch.submissions));
  const std::int64_t queue_retry_s = enqueuer_.RetryAfterSeconds();
  bool all_failed = tried;
  for (std::size_t i = 0; i < results.size(); ++i) {
    all_failed = all_failed && results[i].kind == SubmitResult::Kind::kFailed;
    batch.outcomes[batch.places[i]] = OutcomeOf(results[i], batch.records[i], limit, queue_retry_s);
    rate.SetDay(limit, results[i].sent_today, results[i].retry_after_s);
  }
  if (all_failed) {
    co_return Answer(ProblemCode::kQueueUnavailable,
                     "No message was acknowledged as durable. Send the batch again.",
                     context.request_id, queue_retry_s);
  }
  http::Response response = BatchAnswer(batch.outcomes, context.request_id);
  AddRateFields(limit, rate, response);
  response.fields.emplace_back("Server-Timing", ServerTiming(sealed_at_us - request.received_at_us,
                                                             NowMicros() - sealed_at_us));
  co_return response;
}

}  // namespace postern::edge

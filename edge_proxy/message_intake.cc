#include "edge_proxy/message_intake.h"

#include <string_view>
#include <utility>
#include <vector>

#include "edge_proxy/answers.h"
#include "edge_proxy/message_request.h"
#include "edge_proxy/trace_context.h"
#include "services/common/base/time.h"

namespace postern::edge {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kNoKey = "The edge has no data key to encrypt with.";

http::Response RateLimited(const RateLimit& limit, const RateState& state,
                           const std::string& request_id) {
  http::Response response = ProblemResponse(RateLimitedProblem(limit, state), request_id);
  AddRateFields(limit, state, response);
  return response;
}

}  // namespace

absl::StatusOr<SubmitTerms> MessageIntake::TermsOf(const ClientRecord& client,
                                                   const MessageRequest& message,
                                                   const std::optional<std::string>& key,
                                                   IdempotencyRecord& record) {
  SubmitTerms terms;
  terms.client_id = client.client_id;
  terms.messages_per_day = client.limit.per_day;
  if (!key.has_value()) return terms;
  if (absl::Status prepared = hasher_.Prepare(); !prepared.ok()) return prepared;
  record.fingerprint = hasher_.Fingerprint(message);
  terms.key_name = hasher_.KeyName(client.client_id, *key);
  terms.record = PackRecord(record);
  terms.keys_per_client = bounds_.per_client;
  terms.keys_per_shard = bounds_.per_shard;
  return terms;
}

absl::StatusOr<MessageIntake::Sealed> MessageIntake::Seal(const ClientRecord& client,
                                                          MessageRequest message,
                                                          const std::optional<std::string>& key,
                                                          std::string_view trace,
                                                          const Uuid& request_uuid) {
  Sealed sealed;
  IdempotencyRecord& record = sealed.record;
  record.accepted_at_us = NowMicros();
  record.id = ids_.Next(record.accepted_at_us);
  sealed.submission.id = record.id;
  if (key.has_value() || client.limit.per_day > 0) {
    absl::StatusOr<SubmitTerms> terms = TermsOf(client, message, key, record);
    if (!terms.ok()) return terms.status();
    sealed.submission.terms = *std::move(terms);
  }
  absl::StatusOr<std::string> envelope =
      sealer_.Seal(record.id, client, std::move(message), record.accepted_at_us,
                   trace.empty() ? MakeTraceparent(request_uuid, record.id) : std::string(trace));
  if (!envelope.ok()) return envelope.status();
  sealed.submission.envelope = *std::move(envelope);
  return sealed;
}

asio::awaitable<http::Response> MessageIntake::Post(http::Request& request,
                                                    const ClientRecord& client,
                                                    RequestContext& context) {
  // `client` may go while this waits.
  const RateLimit limit = client.limit;
  RateState rate = client.meter->Take(limit, request.received_at_us);
  if (!rate.allowed) co_return RateLimited(limit, rate, context.request_id);
  if (!IsJsonMediaType(request.Field("content-type").value_or(""))) {
    co_return Answer(ProblemCode::kUnsupportedMediaType,
                     "Content-Type must be application/json, charset utf-8 if any.",
                     context.request_id);
  }
  const absl::StatusOr<std::optional<std::string>> key = IdempotencyKeyOf(request);
  if (!key.ok()) {
    co_return Answer(ProblemCode::kInvalidIdempotencyKey, std::string(key.status().message()),
                     context.request_id);
  }
  ParsedMessage parsed = ParseMessageRequest(request.body, client.client_id);
  if (parsed.problem.has_value()) co_return ProblemResponse(*parsed.problem, context.request_id);

  absl::StatusOr<Sealed> sealed =
      Seal(client, std::move(parsed.request), *key, TraceOf(request), context.request_uuid);
  if (!sealed.ok()) {
    co_return Answer(ProblemCode::kNotReady, std::string(kNoKey), context.request_id);
  }
  const IdempotencyRecord& record = sealed->record;
  SubmitResult result;
  if (sealed->submission.terms.has_value()) {
    std::vector<Enqueuer::Submission> one;
    one.push_back(std::move(sealed->submission));
    std::vector<SubmitResult> results = co_await enqueuer_.Submit(client.shard, std::move(one));
    result = std::move(results.front());
  } else {
    const absl::Status queued =
        co_await enqueuer_.Append(client.shard, record.id, std::move(sealed->submission.envelope));
    if (queued.ok()) result.kind = SubmitResult::Kind::kAdded;
  }
  const SubmitOutcome outcome = OutcomeOf(result, record, limit, enqueuer_.RetryAfterSeconds());
  if (outcome.problem.has_value()) co_return ProblemResponse(*outcome.problem, context.request_id);
  context.message_id = outcome.id.ToString();
  http::Response response =
      Accepted(context.message_id, outcome.accepted_at_us, context.request_id);
  rate.SetDay(limit, result.sent_today, result.retry_after_s);
  AddRateFields(limit, rate, response);
  if (outcome.replayed) response.fields.emplace_back("Idempotent-Replayed", "true");
  response.fields.emplace_back("Server-Timing",
                               ServerTiming(record.accepted_at_us - request.received_at_us,
                                            NowMicros() - record.accepted_at_us));
  co_return response;
}

}  // namespace postern::edge

#include "edge_proxy/submit_outcome.h"

#include <string>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/crypto/hash.h"

namespace postern::edge {
namespace {

Problem Make(ProblemCode code, std::string detail, std::int64_t retry_after_s) {
  Problem problem;
  problem.code = code;
  problem.detail = std::move(detail);
  problem.retry_after_s = retry_after_s;
  return problem;
}

SubmitOutcome FirstOutcome(const std::string& packed, const IdempotencyRecord& own) {
  SubmitOutcome outcome;
  const absl::StatusOr<IdempotencyRecord> first = UnpackRecord(packed);
  if (!first.ok()) {
    outcome.problem =
        Make(ProblemCode::kInternal, "The first answer to this key cannot be read.", 0);
  } else if (!crypto::ConstantTimeEqual(first->fingerprint, own.fingerprint)) {
    outcome.problem = Make(ProblemCode::kIdempotencyKeyReused,
                           "The key came with another message before. Take a new key.", 0);
  } else {
    outcome.id = first->id;
    outcome.accepted_at_us = first->accepted_at_us;
    outcome.replayed = true;
  }
  return outcome;
}

}  // namespace

SubmitOutcome OutcomeOf(const SubmitResult& result, const IdempotencyRecord& own,
                        const RateLimit& limit, std::int64_t queue_retry_s) {
  using Kind = SubmitResult::Kind;
  SubmitOutcome outcome;
  outcome.id = own.id;
  outcome.accepted_at_us = own.accepted_at_us;
  switch (result.kind) {
    case Kind::kAdded:
      break;
    case Kind::kHeld:
      return FirstOutcome(result.record, own);
    case Kind::kClientFull:
      outcome.problem = Make(ProblemCode::kIdempotencyKeysExhausted,
                             "As many keys as are kept for one client were used in the last 24 "
                             "hours. The message was not accepted.",
                             result.retry_after_s);
      break;
    case Kind::kShardFull:
      outcome.problem = Make(ProblemCode::kIdempotencyFull,
                             "There is no memory for more keys. The message was not accepted.",
                             result.retry_after_s);
      break;
    case Kind::kDayFull:
      outcome.problem = Make(ProblemCode::kQuotaExceeded,
                             StrCat("The limit is ", limit.per_day,
                                    " messages a day, from 00:00 UTC. This one was not accepted."),
                             result.retry_after_s);
      break;
    case Kind::kFailed:
      outcome.problem =
          Make(ProblemCode::kQueueUnavailable,
               "The message was not acknowledged as durable. Send it again.", queue_retry_s);
      break;
  }
  return outcome;
}

}  // namespace postern::edge

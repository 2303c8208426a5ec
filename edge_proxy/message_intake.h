#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "edge_proxy/client_directory.h"
#include "edge_proxy/data_keys.h"
#include "edge_proxy/enqueuer.h"
#include "edge_proxy/envelope_sealer.h"
#include "edge_proxy/idempotency.h"
#include "edge_proxy/keyed_hasher.h"
#include "edge_proxy/request_context.h"
#include "edge_proxy/submit_outcome.h"
#include "services/common/base/uuid.h"
#include "services/common/http/message.h"

namespace postern::edge {

// How many idempotency keys the queue remembers at one time.
struct KeyBounds {
  std::int64_t per_client = 0;
  std::int64_t per_shard = 0;
};

// Takes messages in for one lane: checks them, seals them and puts them into the queue. Not
// thread-safe.
class MessageIntake {
 public:
  // Both must outlive this; `enqueuer` is the lane's.
  MessageIntake(const DataKeys& keys, Enqueuer& enqueuer, KeyBounds bounds)
      : enqueuer_(enqueuer), bounds_(bounds), sealer_(keys), hasher_(keys) {}

  // `POST /api/v1/messages` of an active client.
  boost::asio::awaitable<http::Response> Post(http::Request& request, const ClientRecord& client,
                                              RequestContext& context);
  // `POST /api/v1/messages:batch` of an active client.
  boost::asio::awaitable<http::Response> PostBatch(http::Request& request,
                                                   std::shared_ptr<const ClientRecord> client,
                                                   RequestContext& context);

 private:
  // A message that is ready to go.
  struct Sealed {
    IdempotencyRecord record;  // Without fingerprint when the message has no key.
    Enqueuer::Submission submission;
  };

  // A batch on its way. `places`: the index in `outcomes` of each submission.
  struct Batch {
    std::vector<SubmitOutcome> outcomes;
    std::vector<std::size_t> places;
    std::vector<IdempotencyRecord> records;
    std::vector<Enqueuer::Submission> submissions;
    std::size_t allowed = 0;  // Messages from the front that the rate limit allows.
    Problem past_limit;       // Of the others.
  };

  // Unavailable when there is no key to encrypt with.
  absl::StatusOr<Sealed> Seal(const ClientRecord& client, MessageRequest message,
                              const std::optional<std::string>& key, std::string_view trace,
                              const Uuid& request_uuid);
  // Seals what may go, and sets the outcome of what may not. Errors as Seal.
  boost::asio::awaitable<absl::Status> SealAll(const ClientRecord& client,
                                               std::vector<ParsedMessage>& messages,
                                               std::string_view trace, const Uuid& request_uuid,
                                               Batch& batch);
  absl::StatusOr<SubmitTerms> TermsOf(const ClientRecord& client, const MessageRequest& message,
                                      const std::optional<std::string>& key,
                                      IdempotencyRecord& record);

  Enqueuer& enqueuer_;
  const KeyBounds bounds_;
  EnvelopeSealer sealer_;
  KeyedHasher hasher_;
  UuidV7Generator ids_;
};

}  // namespace postern::edge

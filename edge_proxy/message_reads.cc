#include "edge_proxy/message_reads.h"

#include <optional>
#include <utility>

#include "edge_proxy/answers.h"
#include "edge_proxy/limits.h"
#include "edge_proxy/list_request.h"
#include "edge_proxy/status_view.h"
#include "services/common/base/time.h"
#include "services/common/base/uuid.h"
#include "services/common/log/log.h"
#include "services/common/rpc/async_unary.h"

namespace postern::edge {
namespace {

namespace asio = boost::asio;
using Async = v1::MessageService::StubInterface::async_interface;

http::Response RegisterUnavailable(const absl::Status& status, const std::string& request_id) {
  static log::RateLimit limit(/*interval_ms=*/10'000);
  if (limit.Allow()) log::Warn("register_not_asked", "reason", status.ToString());
  return Answer(ProblemCode::kRegisterUnavailable, "The main server cannot be asked now.",
                request_id);
}

http::Response InvalidCursor(const std::string& request_id) {
  return Answer(ProblemCode::kInvalidCursor,
                "Take next_cursor of a page as it is, with the same filters.", request_id);
}

}  // namespace

asio::awaitable<http::Response> MessageReads::Get(std::string_view id, std::string client_id,
                                                  const RequestContext& context) {
  static constexpr const char* kNoMessage = "You have no message with this id.";
  const absl::StatusOr<Uuid> uuid = Uuid::Parse(id);
  if (!uuid.ok()) co_return Answer(ProblemCode::kNotFound, kNoMessage, context.request_id);
  const std::optional<v1::Envelope> buffered = registrar_.Find(*uuid);
  if (buffered.has_value() && buffered->client_id() == client_id) {
    co_return StatusAnswer(ViewOf(*buffered), context.request_id);
  }
  v1::GetMessageRequest query;
  query.set_id(uuid->ToString());
  query.set_client_id(client_id);
  const absl::StatusOr<v1::GetMessageResponse> found = co_await rpc::Call(
      messages_.async(), &Async::GetMessage, query, Deadline::After(kGetMessageDeadline));
  if (absl::IsNotFound(found.status())) {
    co_return Answer(ProblemCode::kNotFound, kNoMessage, context.request_id);
  }
  if (!found.ok()) co_return RegisterUnavailable(found.status(), context.request_id);
  co_return StatusAnswer(ViewOf(found->message(), NowMicros()), context.request_id);
}

asio::awaitable<http::Response> MessageReads::List(std::string_view query, std::string client_id,
                                                   const RequestContext& context) {
  ParsedList parsed = ParseListRequest(query);
  if (parsed.problem.has_value()) co_return ProblemResponse(*parsed.problem, context.request_id);
  if (!hasher_.Prepare().ok()) {
    co_return Answer(ProblemCode::kNotReady, "The edge has no key to check cursors with.",
                     context.request_id);
  }
  ListRequest& request = parsed.request;
  request.query.set_client_id(client_id);
  if (!request.cursor.empty()) {
    std::optional<std::string> place = PlaceOf(hasher_, client_id, request.filter, request.cursor);
    if (!place.has_value()) co_return InvalidCursor(context.request_id);
    request.query.set_page_token(*std::move(place));
  }
  const absl::StatusOr<v1::ListMessagesResponse> page =
      co_await rpc::Call(messages_.async(), &Async::ListMessages, request.query,
                         Deadline::After(kListMessagesDeadline));
  if (!page.ok()) co_return RegisterUnavailable(page.status(), context.request_id);
  std::string cursor;
  if (!page->next_page_token().empty()) {
    cursor = MakeCursor(hasher_, client_id, request.filter, page->next_page_token());
  }
  http::Response response;
  response.body = ListJson(*page, cursor);
  response.fields.emplace_back("Request-Id", context.request_id);
  response.fields.emplace_back("Cache-Control", "no-store");
  co_return response;
}

}  // namespace postern::edge

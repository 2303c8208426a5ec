#include "services/audit/audit_service.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "services/audit/audit_repository.h"
#include "services/common/base/strings.h"
#include "services/common/base/utf8.h"
#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/common/rpc/user.h"

namespace postern::audit {
namespace {

constexpr std::chrono::seconds kCallTimeout{30};
constexpr std::int64_t kPageDefault = 50;
constexpr std::int64_t kPageMax = 1000;
constexpr std::size_t kRouteMax = 100;
constexpr std::size_t kAddressMax = 64;

void Fill(Row row, v1::AuditRow& out) {
  out.set_sequence(row.sequence);
  out.set_at_us(row.at_us);
  out.set_actor(std::move(row.actor));
  out.set_action(std::move(row.action));
  out.set_target(std::move(row.target));
  out.set_outcome(static_cast<v1::AuditOutcome>(row.outcome));
  out.set_details_json(std::move(row.details));
  out.set_hash(std::move(row.hash));
}

absl::StatusOr<RowQuery> QueryOf(const v1::ListAuditRowsRequest& request) {
  RowQuery query;
  if (request.page_size() < 0) return absl::InvalidArgumentError("page_size: negative");
  query.limit = request.page_size() == 0 ? kPageDefault
                                         : std::min<std::int64_t>(request.page_size(), kPageMax);
  if (!request.page_token().empty() &&
      (!absl::SimpleAtoi(request.page_token(), &query.before) || query.before <= 0)) {
    return absl::InvalidArgumentError("page_token: not a token of this service");
  }
  for (const auto& [name, text] :
       {std::pair("actor", &request.actor()), std::pair("action", &request.action()),
        std::pair("target", &request.target())}) {
    if (!IsAscii(*text)) {
      return absl::InvalidArgumentError(StrCat(name, ": only ASCII characters"));
    }
  }
  query.actor = request.actor();
  query.action = request.action();
  query.target = request.target();
  return query;
}

absl::Status FillPage(db::Connection& connection, RowQuery query,
                      v1::ListAuditRowsResponse& response) {
  const auto page_size = static_cast<std::size_t>(query.limit);
  // One more than asked for tells whether there is a next page.
  ++query.limit;
  auto rows = SelectRows(connection, query);
  if (!rows.ok()) return rows.status();
  const bool more = rows->size() > page_size;
  if (more) rows->pop_back();
  if (more) response.set_next_page_token(StrCat(rows->back().sequence));
  for (Row& row : *rows) Fill(std::move(row), *response.add_rows());
  return absl::OkStatus();
}

absl::Status FillChain(db::Connection& connection, std::int64_t after, std::int64_t limit,
                       v1::ReadAuditChainResponse& response) {
  auto piece = SelectChain(connection, after, limit);
  if (!piece.ok()) return piece.status();
  for (Row& row : piece->rows) Fill(std::move(row), *response.add_rows());
  response.set_head_sequence(piece->head.sequence);
  response.set_head_hash(std::move(piece->head.hash));
  return absl::OkStatus();
}

const char* ReasonText(v1::RefusalReason reason) {
  switch (reason) {
    case v1::REFUSAL_REASON_ROLE:
      return "role";
    case v1::REFUSAL_REASON_FORM:
      return "form";
    case v1::REFUSAL_REASON_SESSION:
      return "session";
    default:
      return nullptr;
  }
}

bool IsVisible(std::string_view text, std::size_t max) {
  return text.size() <= max && absl::c_all_of(text, absl::ascii_isgraph);
}

absl::StatusOr<Act> ActOf(const v1::ReportRefusalRequest& request, std::string actor) {
  if (request.method() != "GET" && request.method() != "POST") {
    return absl::InvalidArgumentError("method: GET or POST");
  }
  if (!IsVisible(request.route(), kRouteMax) || !request.route().starts_with('/')) {
    return absl::InvalidArgumentError("route: 1 to 100 visible characters, the first a slash");
  }
  const char* const reason = ReasonText(request.reason());
  if (reason == nullptr) return absl::InvalidArgumentError("reason: missing or unknown");
  if (!IsVisible(request.address(), kAddressMax)) {
    return absl::InvalidArgumentError("address: at most 64 visible characters");
  }
  Act act;
  act.actor = std::move(actor);
  act.action = "page.open";
  act.target = StrCat("page", request.route());
  act.outcome = Outcome::kRefused;
  act.details = {{"method", request.method()}, {"reason", reason}};
  if (!request.address().empty()) act.details.emplace("address", request.address());
  return act;
}

// Runs `work` on a database thread and answers with its status.
grpc::ServerUnaryReactor* Run(db::Executor& database, grpc::CallbackServerContext* context,
                              std::function<absl::Status(db::Connection&)> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto task = [reactor, work = std::move(work)](absl::StatusOr<db::Connection*> connection) {
    reactor->Finish(rpc::ToGrpc(connection.ok() ? work(**connection) : connection.status()));
  };
  if (!database.TrySubmit(rpc::CallDeadline(*context, kCallTimeout), std::move(task))) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too much work in hand; try again"});
  }
  return reactor;
}

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, const absl::Status& why) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(why));
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* AuditService::ListAuditRows(grpc::CallbackServerContext* context,
                                                      const v1::ListAuditRowsRequest* request,
                                                      v1::ListAuditRowsResponse* response) {
  auto query = QueryOf(*request);
  if (!query.ok()) return Refuse(context, query.status());
  return Run(database_, context, [query = *std::move(query), response](db::Connection& connection) {
    return FillPage(connection, query, *response);
  });
}

grpc::ServerUnaryReactor* AuditService::ReadAuditChain(grpc::CallbackServerContext* context,
                                                       const v1::ReadAuditChainRequest* request,
                                                       v1::ReadAuditChainResponse* response) {
  if (request->page_size() < 0 || request->after_sequence() < 0) {
    return Refuse(context,
                  absl::InvalidArgumentError("page_size and after_sequence: not negative"));
  }
  const std::int64_t limit =
      request->page_size() == 0 ? kPageMax : std::min<std::int64_t>(request->page_size(), kPageMax);
  const std::int64_t after = request->after_sequence();
  return Run(database_, context, [after, limit, response](db::Connection& connection) {
    return FillChain(connection, after, limit, *response);
  });
}

grpc::ServerUnaryReactor* AuditService::ReportRefusal(grpc::CallbackServerContext* context,
                                                      const v1::ReportRefusalRequest* request,
                                                      v1::ReportRefusalResponse*) {
  const absl::StatusOr<Act> act = ActOf(*request, rpc::ActorName(*context));
  if (!act.ok()) return Refuse(context, act.status());
  refusals_.Note(*act);
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace postern::audit

#include "edge_proxy/batch_answer.h"

#include "edge_proxy/problem.h"
#include "edge_proxy/status_view.h"

namespace postern::edge {
namespace {

void AppendOutcome(const SubmitOutcome& outcome, const std::string& request_id, std::string& json) {
  if (!outcome.problem.has_value()) {
    json.append("{\"status\":202,\"message\":");
    json.append(AcceptedJson(outcome.id.ToString(), outcome.accepted_at_us));
    if (outcome.replayed) json.append(",\"replayed\":true");
    json.push_back('}');
    return;
  }
  const Problem& problem = *outcome.problem;
  json.append("{\"status\":").append(std::to_string(TypeOf(problem.code).status));
  if (problem.retry_after_s > 0) {
    json.append(",\"retry_after\":").append(std::to_string(problem.retry_after_s));
  }
  json.append(",\"problem\":").append(ProblemJson(problem, request_id)).push_back('}');
}

}  // namespace

http::Response BatchAnswer(const std::vector<SubmitOutcome>& outcomes,
                           const std::string& request_id) {
  constexpr int kAccepted = 202;
  constexpr int kMultiStatus = 207;
  constexpr std::size_t kOutcomeBytes = 160;
  std::size_t accepted = 0;
  for (const SubmitOutcome& outcome : outcomes) accepted += outcome.problem.has_value() ? 0 : 1;
  http::Response response;
  response.status = accepted == outcomes.size() ? kAccepted : kMultiStatus;
  std::string& json = response.body;
  json.reserve(outcomes.size() * kOutcomeBytes);
  json.append("{\"accepted\":").append(std::to_string(accepted));
  json.append(",\"refused\":").append(std::to_string(outcomes.size() - accepted));
  json.append(",\"outcomes\":[");
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (i > 0) json.push_back(',');
    AppendOutcome(outcomes[i], request_id, json);
  }
  json.append("]}");
  response.fields.emplace_back("Request-Id", request_id);
  return response;
}

}  // namespace postern::edge

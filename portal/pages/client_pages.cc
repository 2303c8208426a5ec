#include "absl/strings/str_join.h"
#include "portal/pages/certificate_views.h"
#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Clients = v1::ClientService::StubInterface::async_interface;
using Certificates = v1::CertificateService::StubInterface::async_interface;
using Statistics = v1::StatisticsService::StubInterface::async_interface;
using Users = v1::UserService::StubInterface::async_interface;

constexpr int kCertificatesShown = 20;
constexpr int kUsersShown = 50;

View ClientMark(const v1::Client& client) {
  return client.state() == v1::CLIENT_STATE_SUSPENDED ? Mark("bad", "ban", "Suspended")
                                                      : Mark("good", "check", "Active");
}

std::string LimitText(const v1::Client& client) {
  if (!client.has_limits()) return "as each edge is set";
  const v1::ClientLimits& limits = client.limits();
  std::vector<std::string> parts;
  if (limits.messages_per_second() > 0) {
    parts.push_back(StrCat(FormatCount(limits.messages_per_second()), " messages a second"));
  }
  if (limits.burst() > 0) parts.push_back(StrCat(FormatCount(limits.burst()), " at once"));
  if (limits.messages_per_day() > 0) {
    parts.push_back(StrCat(FormatCount(limits.messages_per_day()), " messages a day"));
  }
  return parts.empty() ? "none" : absl::StrJoin(parts, ", ");
}

http::Response NewClientPage(Visit& visit, const Faults& faults) {
  View view = visit.Frame("New client", "clients");
  PutField(view, "client_id", visit.form.Get("client_id"), faults);
  PutField(view, "domain", visit.form.Get("domain"), faults);
  PutField(view, "certificate_sha256", visit.form.Get("certificate_sha256"), faults);
  return visit.Page("client_new", view, faults.empty() ? 200 : 422);
}

Confirmation SuspendQuestion(const std::string& id) {
  Confirmation ask;
  ask.title = StrCat("Suspend ", id, "?");
  ask.text =
      "The client cannot send any more until it is resumed, and its open connections are cut. What "
      "it has sent is delivered all the same.";
  ask.action = StrCat("/clients/", FormEncode(id));
  ask.back = ask.action;
  ask.button = "Suspend";
  ask.asks_reason = true;
  ask.hidden.emplace_back("act", "suspend");
  ask.section = "clients";
  return ask;
}

void PutClient(View& view, const Visit& visit, const v1::Client& client) {
  view["id"] = View(client.client_id());
  view["path"] = View(StrCat("/clients/", FormEncode(client.client_id())));
  Parameters query;
  query.Set("client", client.client_id());
  view["messages"] = View(StrCat("/messages", query.ToQuery()));
  view["new_certificate"] = View(StrCat("/certificates/new", query.ToQuery()));
  view["domain"] = View(client.domain());
  view["mark"] = ClientMark(client);
  view["active"] = View(client.state() == v1::CLIENT_STATE_ACTIVE);
  view["made"] = visit.Time(client.created_at_us());
  view["limits"] = View(LimitText(client));
  ViewList fingerprints;
  for (const std::string& sha256 : client.certificate_sha256())
    fingerprints.push_back(View(sha256));
  view["any_fingerprints"] = View(!fingerprints.empty());
  view["fingerprints"] = View(fingerprints);
}

}  // namespace

PageAnswer ShowClients(Visit& visit) {
  v1::ListClientsRequest ask;
  ask.set_page_size(PageSize(visit));
  ask.set_page_token(std::string(visit.query.Get("page")));
  const auto found =
      co_await visit.Ask(visit.backend().clients->async(), &Clients::ListClients, ask);
  if (!found.ok()) co_return visit.Failure(found.status());
  View view = visit.Frame("Clients", "clients");
  ViewList rows;
  for (const v1::Client& client : found->clients()) {
    View row;
    row["address"] = View(StrCat("/clients/", FormEncode(client.client_id())));
    row["id"] = View(client.client_id());
    row["domain"] = View(client.domain());
    row["mark"] = ClientMark(client);
    row["certificates"] = View(std::to_string(client.certificate_sha256_size()));
    row["made"] = visit.Time(client.created_at_us());
    rows.push_back(row);
  }
  view["any"] = View(!rows.empty());
  view["rows"] = View(rows);
  PageTokens tokens;
  tokens.next = found->next_page_token();
  PutPages(view, visit, tokens);
  co_return visit.Page("clients", view);
}

PageAnswer ShowNewClient(Visit& visit) { co_return NewClientPage(visit, Faults()); }

PageAnswer CreateClient(Visit& visit) {
  v1::CreateClientRequest ask;
  ask.set_client_id(std::string(visit.form.Get("client_id")));
  ask.set_domain(std::string(visit.form.Get("domain")));
  ask.set_certificate_sha256(std::string(visit.form.Get("certificate_sha256")));
  Faults faults;
  if (ask.client_id().empty()) faults["client_id"] = "Enter an id.";
  if (ask.domain().empty()) faults["domain"] = "Enter the domain's host name.";
  if (!faults.empty()) co_return NewClientPage(visit, faults);
  const auto made =
      co_await visit.Ask(visit.backend().clients->async(), &Clients::CreateClient, ask);
  if (absl::IsAlreadyExists(made.status())) {
    const bool of_certificate =
        ToStd(made.status().message()).find("certificate") != std::string_view::npos;
    faults[of_certificate ? "certificate_sha256" : "client_id"] = ToStd(made.status().message());
  } else if (auto refused = FaultsOf(made.status(), "client_id domain certificate_sha256")) {
    faults = *std::move(refused);
  } else if (absl::IsInvalidArgument(made.status())) {
    faults["client_id"] = ToStd(made.status().message());
  }
  if (!faults.empty()) co_return NewClientPage(visit, faults);
  if (!made.ok()) co_return visit.Failure(made.status());
  co_return visit.Redirect(
      StrCat("/clients/", FormEncode(made->client().client_id()), "?done=client-made"));
}

PageAnswer ShowClient(Visit& visit) {
  v1::GetClientRequest ask;
  ask.set_client_id(visit.parameter);
  const auto found = co_await visit.Ask(visit.backend().clients->async(), &Clients::GetClient, ask);
  if (!found.ok()) co_return visit.Failure(found.status());
  v1::ListCertificatesRequest of_client;
  of_client.set_profile("client");
  of_client.set_name(visit.parameter);
  of_client.set_page_size(kCertificatesShown);
  const auto certificates = co_await visit.Ask(visit.backend().certificates->async(),
                                               &Certificates::ListCertificates, of_client);
  // A server without a CA has none to show.
  if (!certificates.ok() && !absl::IsFailedPrecondition(certificates.status())) {
    co_return visit.Failure(certificates.status());
  }
  v1::ListUsersRequest linked;
  linked.set_client_id(visit.parameter);
  linked.set_page_size(kUsersShown);
  const auto users = co_await visit.Ask(visit.backend().users->async(), &Users::ListUsers, linked);
  if (!users.ok()) co_return visit.Failure(users.status());
  v1::GetOverviewRequest figures;
  figures.set_client_id(visit.parameter);
  const auto now =
      co_await visit.Ask(visit.backend().statistics->async(), &Statistics::GetOverview, figures);
  if (!now.ok()) co_return visit.Failure(now.status());

  View view = visit.Frame(visit.parameter, "clients");
  PutClient(view, visit, found->client());
  ViewList rows;
  if (certificates.ok()) {
    for (const v1::Certificate& certificate : certificates->certificates()) {
      rows.push_back(CertificateRow(visit, certificate));
    }
  }
  view["any_certificates"] = View(!rows.empty());
  view["certificates"] = View(rows);
  ViewList readers;
  for (const v1::User& user : users->users()) {
    View row;
    row["address"] = View(StrCat("/users/", user.id()));
    row["email"] = View(user.email());
    readers.push_back(row);
  }
  view["any_readers"] = View(!readers.empty());
  view["readers"] = View(readers);
  view["accepted"] = View(FormatCount(now->last_day().accepted()));
  view["delivered"] = View(FormatCount(now->last_day().delivered()));
  view["waiting"] = View(FormatCount(now->queued() + now->retrying()));
  view["dead"] = View(FormatCount(now->dead()));
  co_return visit.Page("client", view);
}

PageAnswer ConfirmClientAct(Visit& visit) {
  co_return ConfirmationPage(visit, SuspendQuestion(visit.parameter));
}

PageAnswer ActOnClient(Visit& visit) {
  const std::string page = StrCat("/clients/", FormEncode(visit.parameter));
  if (visit.form.Get("act") == "suspend") {
    v1::SuspendClientRequest ask;
    ask.set_client_id(visit.parameter);
    ask.set_reason(std::string(visit.form.Get("reason")));
    const auto done =
        co_await visit.Ask(visit.backend().clients->async(), &Clients::SuspendClient, ask);
    if (absl::IsInvalidArgument(done.status())) {
      Confirmation question = SuspendQuestion(visit.parameter);
      question.faults["reason"] = "At most 500 bytes.";
      co_return ConfirmationPage(visit, question);
    }
    if (!done.ok()) co_return visit.Failure(done.status());
    co_return visit.Redirect(page + "?done=suspended");
  }
  if (visit.form.Get("act") != "resume") {
    co_return visit.ErrorPage(400, "act: there is no such act.");
  }
  v1::ResumeClientRequest ask;
  ask.set_client_id(visit.parameter);
  const auto done =
      co_await visit.Ask(visit.backend().clients->async(), &Clients::ResumeClient, ask);
  if (!done.ok()) co_return visit.Failure(done.status());
  co_return visit.Redirect(page + "?done=resumed");
}

}  // namespace postern::portal

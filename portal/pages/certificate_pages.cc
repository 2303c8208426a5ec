#include <array>

#include "portal/pages/certificate_views.h"
#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Certificates = v1::CertificateService::StubInterface::async_interface;

constexpr std::int64_t kDaySeconds = 24 * 3600;

struct StateFilter {
  std::string_view word;
  std::string_view label;
  v1::CertificateState state;
  std::int64_t within_days;
};
constexpr std::array kStates{
    StateFilter{"", "Any state", v1::CERTIFICATE_STATE_UNSPECIFIED, 0},
    StateFilter{"valid", "Valid", v1::CERTIFICATE_STATE_VALID, 0},
    StateFilter{"ends-7", "Ends within 7 days", v1::CERTIFICATE_STATE_VALID, 7},
    StateFilter{"ends-30", "Ends within 30 days", v1::CERTIFICATE_STATE_VALID, 30},
    StateFilter{"expired", "Expired", v1::CERTIFICATE_STATE_EXPIRED, 0},
    StateFilter{"revoked", "Revoked", v1::CERTIFICATE_STATE_REVOKED, 0},
};
constexpr std::array<std::string_view, 8> kProfiles{"client", "edge",   "worker",   "portal",
                                                    "server", "listen", "operator", "store"};

void PutFilter(View& view, const Visit& visit, v1::ListCertificatesRequest& ask) {
  ViewList states;
  const std::string_view word = visit.query.Get("state");
  for (const StateFilter& state : kStates) {
    const bool chosen = state.word == word;
    states.push_back(Choice(state.word, state.label, chosen));
    if (!chosen) continue;
    ask.set_state(state.state);
    ask.set_expiring_within_seconds(state.within_days * kDaySeconds);
  }
  view["states"] = View(states);
  ViewList profiles;
  const std::string_view profile = visit.query.Get("profile");
  profiles.push_back(Choice("", "Any kind", profile.empty()));
  for (const std::string_view known : kProfiles) {
    profiles.push_back(Choice(known, known, known == profile));
    if (known == profile) ask.set_profile(std::string(known));
  }
  view["profiles"] = View(profiles);
  PutField(view, "name", visit.query.Get("name"), Faults());
  ask.set_name(std::string(visit.query.Get("name")));
  view["filtered"] = View(!word.empty() || !profile.empty() || !ask.name().empty());
}

View AuthorityMark(const v1::Authority& authority) {
  switch (authority.state()) {
    case v1::AUTHORITY_STATE_INCOMING:
      return Mark("wait", "clock", "Incoming");
    case v1::AUTHORITY_STATE_ACTIVE:
      return Mark("good", "check", "Active");
    case v1::AUTHORITY_STATE_OUTGOING:
      return Mark("warn", "clock", "Outgoing");
    default:
      return Mark("", "ban", "Retired");
  }
}

View AuthorityCards(const Visit& visit, const v1::ListAuthoritiesResponse& found) {
  ViewList cards;
  for (const v1::Authority& authority : found.authorities()) {
    View card;
    card["name"] = View(authority.name());
    card["mark"] = AuthorityMark(authority);
    card["subject"] = View(authority.subject());
    card["sha256"] = View(authority.sha256());
    card["ends"] = visit.Time(authority.not_after_us());
    card["valid"] = View(FormatCount(authority.valid_certificates()));
    card["crl_number"] = View(std::to_string(authority.crl().number()));
    card["crl_time"] = visit.Time(authority.crl().this_update_us());
    card["crl_entries"] = View(FormatCount(authority.crl().entries()));
    cards.push_back(card);
  }
  return View(cards);
}

}  // namespace

PageAnswer ShowCertificates(Visit& visit) {
  View view = visit.Frame("Certificates", "certificates");
  v1::ListCertificatesRequest ask;
  PutFilter(view, visit, ask);
  ask.set_page_size(PageSize(visit));
  ask.set_page_token(std::string(visit.query.Get("page")));
  const auto found = co_await visit.Ask(visit.backend().certificates->async(),
                                        &Certificates::ListCertificates, ask);
  view["no_authority"] = View(absl::IsFailedPrecondition(found.status()));
  ViewList rows;
  PageTokens tokens;
  v1::ListAuthoritiesResponse authorities;
  if (found.ok()) {
    for (const v1::Certificate& certificate : found->certificates()) {
      rows.push_back(CertificateRow(visit, certificate));
    }
    tokens.next = found->next_page_token();
    const v1::ListAuthoritiesRequest all;
    auto listed = co_await visit.Ask(visit.backend().certificates->async(),
                                     &Certificates::ListAuthorities, all);
    if (!listed.ok()) co_return visit.Failure(listed.status());
    authorities = *std::move(listed);
  } else if (!absl::IsFailedPrecondition(found.status()) &&
             !absl::IsInvalidArgument(found.status())) {
    co_return visit.Failure(found.status());
  }
  view["any"] = View(!rows.empty());
  view["rows"] = View(rows);
  view["authorities"] = AuthorityCards(visit, authorities);
  view["any_authorities"] = View(!authorities.authorities().empty());
  PutPages(view, visit, tokens);
  co_return visit.Page("certificates", view);
}

PageAnswer ShowCertificate(Visit& visit) {
  v1::GetCertificateRequest ask;
  ask.set_serial(visit.parameter);
  const auto found =
      co_await visit.Ask(visit.backend().certificates->async(), &Certificates::GetCertificate, ask);
  if (absl::IsInvalidArgument(found.status())) co_return visit.ErrorPage(404);
  if (!found.ok()) co_return visit.Failure(found.status());
  View view = visit.Frame(StrCat("Certificate of ", found->certificate().name()), "certificates");
  PutCertificate(view, visit, found->certificate());
  view["pem"] = View(found->pem());
  co_return visit.Page("certificate", view);
}

}  // namespace postern::portal

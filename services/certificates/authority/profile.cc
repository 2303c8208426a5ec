#include "services/certificates/authority/profile.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/base/strings.h"

namespace postern::authority {
namespace {

constexpr std::size_t kNameMax = 64;
constexpr std::size_t kHostMax = 253;
// It is the organisation of every subject, which has no more (X.520).
constexpr std::size_t kTrustDomainMax = 64;
constexpr std::size_t kLabelMax = 63;
constexpr std::array<std::string_view, 2> kOwnHosts = {"localhost", "127.0.0.1"};

constexpr auto kServices = Kind::kServices;
// A component that was off for longer than its certificate's life is enrolled again by hand, so its
// life may be made longer; what a lost key is worth grows with it.
constexpr std::array<Profile, 8> kProfiles = {{
    {"client", Kind::kClients, "client", false, true, false, 365 * kDay, 1825 * kDay},
    {"edge", kServices, "edge", true, true, true, 7 * kDay, 90 * kDay},
    {"worker", kServices, "worker", true, true, true, 7 * kDay, 90 * kDay},
    {"portal", kServices, "portal", true, true, true, 7 * kDay, 90 * kDay},
    {"server", kServices, "server", true, true, true, 7 * kDay, 90 * kDay},
    {"operator", kServices, "operator", false, true, false, 30 * kDay, 365 * kDay},
    // What the edge shows to clients. It opens nothing in the mesh: no client usage.
    {"listen", kServices, "edge", true, false, true, 90 * kDay, 398 * kDay},
    // Redis and MariaDB. No method of the mesh knows the role.
    {"store", kServices, "store", true, false, true, 365 * kDay, 1825 * kDay},
}};

bool IsLowerOrDigit(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax && IsLowerOrDigit(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsLowerOrDigit(c) || c == '.' || c == '_' || c == '-'; });
}

bool IsLabel(absl::string_view label) {
  return !label.empty() && label.size() <= kLabelMax && IsLowerOrDigit(label.front()) &&
         IsLowerOrDigit(label.back()) && std::all_of(label.begin(), label.end(), [](char c) {
           return IsLowerOrDigit(c) || c == '-';
         });
}

bool IsHostName(const std::string& text) {
  if (text.empty() || text.size() > kHostMax) return false;
  const std::vector<absl::string_view> labels = absl::StrSplit(text, '.');
  return std::all_of(labels.begin(), labels.end(), IsLabel);
}

// In the form that a certificate repeats it; empty when it is none.
std::string NormalAddress(const std::string& text) {
  std::array<unsigned char, 16> bytes{};
  std::array<char, INET6_ADDRSTRLEN> normal{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, text.c_str(), bytes.data()) == 1) {
      ::inet_ntop(family, bytes.data(), normal.data(), normal.size());
      return normal.data();
    }
  }
  return "";
}

// Lower case, sorted, without those that every certificate has.
std::vector<std::string> NormalHosts(std::vector<std::string> hosts,
                                     std::vector<std::string>& faults) {
  std::vector<std::string> normal;
  for (std::string& host : hosts) {
    absl::AsciiStrToLower(&host);
    const std::string address = NormalAddress(host);
    if (address.empty() && !IsHostName(host)) {
      faults.push_back(
          "hosts: each is a host name or an IP address, such as messages.example.org or 10.0.0.7");
      break;
    }
    normal.push_back(address.empty() ? std::move(host) : address);
  }
  std::sort(normal.begin(), normal.end());
  normal.erase(std::unique(normal.begin(), normal.end()), normal.end());
  std::erase_if(normal, [](const std::string& host) {
    return std::find(kOwnHosts.begin(), kOwnHosts.end(), host) != kOwnHosts.end();
  });
  return normal;
}

void CheckHosts(const Profile& profile, const std::vector<std::string>& hosts,
                std::vector<std::string>& faults) {
  if (!hosts.empty() && !profile.hosts) {
    faults.push_back(StrCat("hosts: a certificate of profile ", profile.name, " names none"));
  } else if (hosts.size() > kHostsMax) {
    faults.push_back(StrCat("hosts: ", kHostsMax, " are the most"));
  }
}

}  // namespace

std::string_view KindName(Kind kind) { return kind == Kind::kServices ? "services" : "clients"; }

absl::StatusOr<Kind> ParseKind(std::string_view text) {
  for (const Kind kind : {Kind::kServices, Kind::kClients}) {
    if (text == KindName(kind)) return kind;
  }
  return absl::InvalidArgumentError(
      StrCat(text, " is not a kind of issuing CA: use services or clients"));
}

std::span<const Profile> Profiles() { return kProfiles; }

absl::StatusOr<const Profile*> FindProfile(std::string_view name) {
  for (const Profile& profile : kProfiles) {
    if (profile.name == name) return &profile;
  }
  std::vector<std::string> names;
  for (const Profile& profile : kProfiles) names.emplace_back(profile.name);
  return absl::InvalidArgumentError(StrCat("profile: one of ", absl::StrJoin(names, ", ")));
}

std::string Subject::SpiffeId(std::string_view trust_domain) const {
  return StrCat("spiffe://", trust_domain, "/", profile->spiffe_role, "/", name);
}

absl::StatusOr<Subject> MakeSubject(std::string_view profile, std::string_view name,
                                    std::vector<std::string> hosts, std::chrono::seconds life) {
  std::vector<std::string> faults;
  Subject subject;
  const absl::StatusOr<const Profile*> found = FindProfile(profile);
  if (!found.ok()) faults.emplace_back(found.status().message());
  if (!IsName(name)) {
    faults.emplace_back("name: 1 to 64 characters of [a-z0-9._-], first a letter or digit");
  }
  subject.name = name;
  subject.hosts = NormalHosts(std::move(hosts), faults);
  if (found.ok()) {
    subject.profile = *found;
    subject.life = life == std::chrono::seconds::zero() ? subject.profile->life : life;
    CheckHosts(*subject.profile, subject.hosts, faults);
    if (subject.life < kLifeMin || subject.life > subject.profile->life_max) {
      faults.push_back(StrCat("life: ", kLifeMin.count(), " to ", subject.profile->life_max.count(),
                              " seconds for profile ", profile));
    }
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "; "));
  return subject;
}

absl::StatusOr<Subject> SubjectOf(const pki::CertificateInfo& certificate,
                                  std::string_view trust_domain) {
  if (certificate.uris.size() != 1) {
    return absl::InvalidArgumentError(StrCat("the certificate has ", certificate.uris.size(),
                                             " URI names instead of one SPIFFE id"));
  }
  for (const Profile& profile : kProfiles) {
    Subject subject;
    subject.profile = &profile;
    subject.name = certificate.common_name;
    if (IsName(subject.name) && certificate.uris.front() == subject.SpiffeId(trust_domain) &&
        certificate.server_auth == profile.server_auth &&
        certificate.client_auth == profile.client_auth) {
      const std::chrono::seconds life(certificate.not_after_s - certificate.not_before_s -
                                      pki::kBackdateSeconds);
      return MakeSubject(profile.name, subject.name, certificate.hosts,
                         std::clamp(life, kLifeMin, profile.life_max));
    }
  }
  return absl::InvalidArgumentError(
      StrCat("the certificate is of no profile of trust domain ", trust_domain));
}

bool IsTrustDomain(std::string_view text) {
  return text.size() <= kTrustDomainMax && IsHostName(std::string(text));
}

}  // namespace postern::authority

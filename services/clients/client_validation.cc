#include "services/clients/client_validation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"

namespace postern::clients {
namespace {

constexpr std::size_t kClientIdMax = 64;
constexpr std::size_t kDomainMax = 253;
constexpr std::size_t kLabelMax = 63;
constexpr std::int64_t kRateMax = 1'000'000;
constexpr std::int64_t kPerDayMax = 1'000'000'000'000;

bool IsLowerOrDigit(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

bool IsClientId(std::string_view text) {
  if (text.empty() || text.size() > kClientIdMax || !IsLowerOrDigit(text.front())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return IsLowerOrDigit(c) || c == '.' || c == '_' || c == '-'; });
}

bool IsHostLabel(absl::string_view label) {
  if (label.empty() || label.size() > kLabelMax) return false;
  if (!IsLowerOrDigit(label.front()) || !IsLowerOrDigit(label.back())) return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return IsLowerOrDigit(c) || c == '-'; });
}

bool IsHostName(const std::string& text) {
  if (text.empty() || text.size() > kDomainMax) return false;
  const std::vector<absl::string_view> labels = absl::StrSplit(text, '.');
  return std::all_of(labels.begin(), labels.end(), IsHostLabel);
}

}  // namespace

absl::StatusOr<NewClient> ValidateNewClient(const v1::CreateClientRequest& request) {
  NewClient client;
  std::vector<std::string> faults;
  client.client_id = request.client_id();
  if (!IsClientId(client.client_id)) {
    faults.emplace_back("client_id: 1 to 64 characters of [a-z0-9._-], first a letter or digit");
  }
  client.domain = absl::AsciiStrToLower(request.domain());
  if (!IsHostName(client.domain)) {
    faults.emplace_back("domain: a host name of 1 to 253 characters, such as example.com");
  }
  if (request.certificate_sha256().empty()) {
    // It gets one later: CertificateService registers what it issues.
  } else if (auto sha256 = NormalizeSha256Hex(request.certificate_sha256()); sha256.ok()) {
    client.certificate_sha256 = *std::move(sha256);
  } else {
    faults.emplace_back("certificate_sha256: 64 hexadecimal digits, colons allowed");
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "; "));
  return client;
}

absl::Status ValidateLimits(const v1::ClientLimits& limits) {
  std::vector<std::string> faults;
  const auto check = [&faults](std::string_view name, std::int64_t value, std::int64_t max) {
    if (value < 0 || value > max) faults.push_back(StrCat(name, ": 0 to ", max));
  };
  check("limits.messages_per_second", limits.messages_per_second(), kRateMax);
  check("limits.burst", limits.burst(), kRateMax);
  check("limits.messages_per_day", limits.messages_per_day(), kPerDayMax);
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "; "));
  return absl::OkStatus();
}

}  // namespace postern::clients

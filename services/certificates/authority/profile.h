#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/pki/certificate.h"

namespace postern::authority {

// The two issuing CAs. Ports of the mesh trust the first alone.
enum class Kind { kServices, kClients };

// `services` or `clients`.
std::string_view KindName(Kind kind);
absl::StatusOr<Kind> ParseKind(std::string_view text);

inline constexpr std::chrono::seconds kDay = std::chrono::hours(24);
inline constexpr std::chrono::seconds kLifeMin{10};
inline constexpr std::size_t kHostsMax = 16;

// What the certificates of a role look like. This table, and nothing that a requester says, decides
// on issuer, SPIFFE role, usage and life.
struct Profile {
  std::string_view name;
  Kind issuer = Kind::kServices;
  std::string_view spiffe_role;  // First path segment of the SPIFFE id.
  bool server_auth = false;
  bool client_auth = false;
  bool hosts = false;  // Whether it names hosts that peers verify.
  std::chrono::seconds life{};
  std::chrono::seconds life_max{};
};

std::span<const Profile> Profiles();
// InvalidArgument names the profiles.
absl::StatusOr<const Profile*> FindProfile(std::string_view name);

// For whom a certificate is.
struct Subject {
  const Profile* profile = nullptr;
  std::string name;
  std::vector<std::string> hosts;  // Beside `localhost` and `127.0.0.1`.
  std::chrono::seconds life{};

  std::string SpiffeId(std::string_view trust_domain) const;
};

// Checks each part and puts in what is left open. InvalidArgument names every fault.
absl::StatusOr<Subject> MakeSubject(std::string_view profile, std::string_view name,
                                    std::vector<std::string> hosts, std::chrono::seconds life);

// What a certificate of `trust_domain` was issued for, so that it can be renewed.
// InvalidArgument when it is none of ours.
absl::StatusOr<Subject> SubjectOf(const pki::CertificateInfo& certificate,
                                  std::string_view trust_domain);

// A host name in lower case of at most 64 characters, such as `postern.example.org`.
bool IsTrustDomain(std::string_view text);

}  // namespace postern::authority

#pragma once

#include "absl/status/statusor.h"
#include "certs/options.h"

// One function for each command; gives the exit code.
namespace postern::certs {

absl::StatusOr<int> Init(const Options& options);
absl::StatusOr<int> NewAuthority(const Options& options);
absl::StatusOr<int> ActivateAuthority(const Options& options);
absl::StatusOr<int> RetireAuthority(const Options& options);
absl::StatusOr<int> ListAuthorities(const Options& options);

absl::StatusOr<int> Issue(const Options& options);
absl::StatusOr<int> Renew(const Options& options);
absl::StatusOr<int> Revoke(const Options& options);
absl::StatusOr<int> Verify(const Options& options);
absl::StatusOr<int> List(const Options& options);
absl::StatusOr<int> Fingerprint(const Options& options);
absl::StatusOr<int> Crl(const Options& options);

absl::StatusOr<int> HandshakeConnect(const Options& options);
absl::StatusOr<int> HandshakeListen(const Options& options);

}  // namespace postern::certs

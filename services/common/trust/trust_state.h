#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "postern/v1/certificate_service.pb.h"
#include "services/common/crypto/openssl_ptr.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/pki/revocation_list.h"
#include "services/common/tls/identity.h"

namespace postern::trust {

// Whom this process trusts and what is revoked of it, in memory, as the main server told it last.
// Revocations are never taken back: not by a snapshot, not by an older CRL, not by a file. What has
// no CRL that is fresh enough is refused. Check and its like from any thread, without waiting for a
// writer; Load, Apply and Tick from any thread, one after the other.
class TrustState {
 public:
  struct Settings {
    std::string file;           // Where the state is kept; empty: nowhere.
    std::string services_file;  // The issuing CAs of the mesh, PEM: read at first, kept up to date.
    std::string clients_file;   // The same of the clients; empty: this program serves none.
    std::chrono::seconds grace{0};  // After a CRL's next update was due.
  };

  TrustState(Settings settings, metrics::Registry& metrics);

  // Reads the CAs' files, then the state that was kept. Anything wrong with the CAs' files is an
  // error. NotFound or DataLoss (the file), InvalidArgument (a CRL in it is wrongly signed) say
  // that the kept state cannot be used: nothing of it is, and until the server tells everything
  // again nobody is let in.
  absl::Status Load();

  // Takes in one step of the watch. InvalidArgument or FailedPrecondition when something in it was
  // refused (a CRL that is torn, wrongly signed, or older than the one here; CAs that cannot be
  // read): what was here instead stays, the rest of the step counts, and the step's revision is not
  // reached.
  absl::Status Apply(const v1::WatchTrustResponse& step);

  // Why the holder of a certificate may not speak, in one word (kRefusals); OK when it may.
  absl::Status Check(const tls::CertificateRef& certificate) const;
  // Only what is known for certain: for the connection over which the rest is heard.
  absl::Status CheckRevoked(const tls::CertificateRef& certificate) const;
  // Whether an issuing CA of the mesh signed it.
  bool IssuedByServices(X509* certificate) const;

  // Looks at the clock. True when some CA's certificates are let in no more, or again, since the
  // last look.
  bool Tick();
  // The CAs whose certificates are not let in, for lack of a fresh CRL; by name.
  std::vector<std::string> StaleIssuers() const;
  // The last step that was reached whole; 0 for none.
  std::int64_t revision() const;

 private:
  // An issuing CA and its CRL. Immutable once published.
  struct Issuer {
    std::shared_ptr<X509> certificate;
    bool services = false;
    std::string name;  // As the server calls it, such as `clients-1`; its subject before a CRL.
    std::shared_ptr<const pki::RevocationList> list;
    std::string der;
  };
  using Issuers = std::map<std::string, std::shared_ptr<const Issuer>>;  // By subject.
  struct Snapshot {
    Issuers issuers;
    // Told before a CRL that holds them. Serial numbers are random: no issuer is needed.
    absl::flat_hash_set<pki::Serial> early;
    std::int64_t revision = 0;
  };

  std::shared_ptr<const Snapshot> Current() const;
  void Publish(Snapshot next);
  absl::Status TakeCas(const std::string& pem, bool services, Issuers& issuers) const;
  absl::Status TakeCrl(const v1::Crl& crl, Snapshot& next) const;
  void TakeRevoked(const v1::WatchTrustResponse& step, Snapshot& next) const;
  absl::Status TakeBundle(const std::string& path, const std::string& pem, bool services,
                          Snapshot& next);
  void Keep(const Snapshot& state) const;
  bool IsFresh(const Issuer& issuer) const;
  void Export(const Snapshot& state);

  const Settings settings_;
  metrics::Registry& metrics_;
  prometheus::Gauge& revision_gauge_;
  prometheus::Gauge& fail_closed_;
  prometheus::Counter& refused_;

  std::mutex writing_;
  bool pass_failed_ = false;  // Since the last revision that was told.
  std::vector<std::string> stale_;

  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> current_;
};

// The words of Check: values of a metric's label.
inline constexpr std::string_view kRefusals[] = {"revoked", "unknown_issuer", "no_crl",
                                                 "crl_too_old"};

}  // namespace postern::trust

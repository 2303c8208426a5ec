#include "services/common/trust/settings.h"

namespace postern::trust {

void AddSettings(config::Schema& schema, Settings& settings) {
  schema.Bool("trust.managed", &settings.managed,
              "Follow the main server's CA: refuse what it revoked, renew this program's "
              "certificates, keep its trust files. false: certificates come from elsewhere, and no "
              "revocation is heard of.");
  schema.Path("trust.state_file", &settings.state_file, config::Schema::Presence::kOptional,
              "Where the last state of the revocations is kept; needed when trust.managed.");
  schema.Duration("trust.grace_ms", &settings.grace, std::chrono::milliseconds(0),
                  std::chrono::hours(24 * 30),
                  "How long after a CRL's next update was due its CA's certificates are still let "
                  "in.");
}

}  // namespace postern::trust

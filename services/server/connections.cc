#include "services/server/connections.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/tls/context_source.h"
#include "services/keys/key_file.h"

namespace postern::server {
namespace {

// Collects faults, so that all are told at once.
class Faults {
 public:
  template <typename Value>
  void Take(const char* key, absl::StatusOr<Value> read, Value& target) {
    if (read.ok()) {
      target = *std::move(read);
    } else {
      faults_.push_back(StrCat(key, ": ", ToStd(read.status().message())));
    }
  }
  absl::Status status() const {
    if (faults_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(faults_, "\n"));
  }

 private:
  std::vector<std::string> faults_;
};

// The highest version: numbers are hashed with one key only.
absl::StatusOr<std::shared_ptr<const crypto::Secret>> ReadIndexKey(const std::string& path) {
  auto keys = keys::ReadKeyFile(path);
  if (!keys.ok()) return keys.status();
  return std::make_shared<const crypto::Secret>(std::move(keys->rbegin()->second));
}

void FillDatabase(const DatabaseSettings& settings, Faults& faults, db::Settings& database) {
  database.host = settings.host;
  database.port = static_cast<std::uint16_t>(settings.port);
  database.user = settings.user;
  database.schema = settings.schema;
  database.ca_file = settings.ca_file;
  database.certificate_file = settings.certificate_file;
  database.key_file = settings.key_file;
  faults.Take("database.password_file", ReadSecretFile(settings.password_file), database.password);
}

void FillRedis(const Settings& settings, Faults& faults, redis::Settings& redis) {
  redis.host = settings.redis.host;
  redis.port = static_cast<std::uint16_t>(settings.redis.port);
  redis.user = settings.redis.user;
  redis.client_name = settings.name;
  faults.Take("redis.password_file", ReadSecretFile(settings.redis.password_file), redis.password);
  tls::Files files = settings.mesh;
  files.trust = settings.redis.trust_file;
  faults.Take("redis.trust_file", tls::ContextSource::Client(std::move(files)), redis.tls);
}

}  // namespace

absl::StatusOr<Connections> ReadConnections(const Settings& settings) {
  Connections read;
  Faults faults;
  FillDatabase(settings.database, faults, read.database);
  FillRedis(settings, faults, read.redis);
  faults.Take("keys.master_key_file", keys::ReadKeyFile(settings.master_key_file),
              read.master_keys);
  faults.Take("keys.index_key_file", ReadIndexKey(settings.index_key_file), read.index_key);
  if (absl::Status status = faults.status(); !status.ok()) return status;
  return read;
}

}  // namespace postern::server

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/secret.h"
#include "services/common/db/upkeep_thread.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/keys/data_key_store.h"
#include "services/keys/key_register.h"

namespace postern::keys {

// One version of the master key, as the register and the servers know it.
struct MasterKeyState {
  MasterKeyRow row;
  std::int64_t data_keys = 0;        // That it wraps.
  std::vector<std::string> servers;  // That live and hold it.
};

// Keeps the data key store in step with this server's file of master keys and with the register,
// and wraps data keys anew after a rotation. A version is known (in a file), active (the one that
// wraps; the highest that was ever activated), or retired (used by nobody). Several servers work
// together through the register: each says which versions it holds, each follows a rotation within
// the interval, and each may rewrap, since a row is only changed as it was read.
//
// Prepare, Start, Stop; the other calls from any thread, each on a connection of the caller.
class MasterKeyKeeper {
 public:
  struct Settings {
    db::Settings database;
    std::string key_file;
    std::string server;  // This server's name, at most 64 characters.
    std::chrono::milliseconds interval{2'000};
  };

  MasterKeyKeeper(Settings settings, DataKeyStore& data_keys, metrics::Registry& metrics);
  ~MasterKeyKeeper();

  // The first look, before anything is served. FailedPrecondition when the file lacks a version
  // that is needed or holds another key than the other servers; it names file and version.
  absl::Status Prepare();
  void Start();
  // Waits for the running step. Idempotent.
  void Stop();

  // By version.
  absl::StatusOr<std::vector<MasterKeyState>> Status(db::Connection& connection);
  // Makes a version the one that wraps, and says which; 0: the highest in this server's file. The
  // data keys follow in the background. FailedPrecondition when it is not newer than the active
  // one, or a server that lives does not hold it.
  // `actor` (rpc::PeerName) goes into the audit log, in the same transaction.
  absl::StatusOr<std::uint32_t> Rotate(db::Connection& connection, std::uint32_t version,
                                       const std::string& actor);
  // Takes a version out of use for ever. NotFound when there is none; FailedPrecondition while it
  // is active, still wraps data keys, or the rotation away from it is so young that a server may
  // not know of it. `actor` as above.
  absl::Status Retire(db::Connection& connection, std::uint32_t version, const std::string& actor);

  // One step on the calling thread: follows file and register, rewraps a page. True when there is
  // more to rewrap at once.
  absl::StatusOr<bool> RunOnce(db::Connection& connection);

 private:
  // What one look at file and register gave.
  struct View {
    std::vector<MasterKeyRow> rows;
    std::set<std::uint32_t> held;  // Usable versions of the file.
    std::uint32_t active = 0;
    std::string fault;  // Why this server cannot do its part; empty: it can.
  };

  absl::StatusOr<View> Look(db::Connection& connection);
  absl::Status FillRegister(db::Connection& connection,
                            const std::map<std::uint32_t, crypto::Secret>& keys) const;
  absl::StatusOr<bool> RewrapPage(db::Connection& connection);
  void Warn(const absl::Status& status);

  const Settings settings_;
  DataKeyStore& data_keys_;
  prometheus::Gauge& active_;
  prometheus::Gauge& usable_;
  prometheus::Gauge& unusable_rows_;
  prometheus::Counter& rewrapped_;
  prometheus::Counter& failures_;
  log::RateLimit warn_limit_{10'000};
  std::mutex mutex_;  // One look or page at a time.
  Uuid cursor_;       // The last data key that was looked at.
  std::int64_t unusable_in_round_ = 0;
  std::unique_ptr<db::UpkeepThread> thread_;
};

}  // namespace postern::keys

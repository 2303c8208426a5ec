#include "services/keys/master_key_keeper.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "services/common/audit/act.h"
#include "services/common/base/strings.h"
#include "services/keys/key_file.h"

namespace postern::keys {
namespace {

// Data keys that are wrapped anew in one transaction.
constexpr std::int64_t kRewrapPageRows = 100;
// A server that was silent for so long is no longer asked for.
constexpr std::int64_t kHolderSilenceUs = 30'000'000;
// Longer than any server needs to see a rotation, or to notice that it has lost the register.
constexpr std::int64_t kRotationSettleUs = 10'000'000;

std::string AddLine(std::uint32_t version) {
  return StrCat("add a line `", version, ":<64 hexadecimal digits>` (openssl rand -hex 32, the ",
                "same on every server) to it");
}

const MasterKeyRow* FindRow(const std::vector<MasterKeyRow>& rows, std::uint32_t version) {
  const auto found = std::find_if(rows.begin(), rows.end(), [version](const MasterKeyRow& row) {
    return row.version == version;
  });
  return found == rows.end() ? nullptr : &*found;
}

audit::Act MakeAct(const std::string& actor, const char* action, std::uint32_t version) {
  audit::Act act;
  act.actor = actor;
  act.action = action;
  act.target = StrCat("key/", version);
  return act;
}

// The change of a row and its act, both or neither. FailedPrecondition when another server was
// faster.
absl::Status Change(db::Connection& connection,
                    absl::StatusOr<bool> (*change)(db::Connection&, std::uint32_t),
                    std::uint32_t version, const audit::Act& act) {
  if (absl::Status begun = connection.Begin(); !begun.ok()) return begun;
  const absl::StatusOr<bool> changed = change(connection, version);
  absl::Status status = changed.status();
  if (status.ok() && !*changed) {
    status = absl::FailedPreconditionError(
        StrCat("version ", version, " was changed by another server a moment ago"));
  }
  if (status.ok()) status = audit::Append(connection, act);
  if (status.ok()) status = connection.Commit();
  if (!status.ok()) connection.Rollback();
  return status;
}

std::uint32_t ActiveOf(const std::vector<MasterKeyRow>& rows) {
  std::uint32_t active = 0;
  for (const MasterKeyRow& row : rows) {
    if (row.activated_at_us > 0 && row.retired_at_us == 0) active = row.version;
  }
  return active;
}

}  // namespace

MasterKeyKeeper::MasterKeyKeeper(Settings settings, DataKeyStore& data_keys,
                                 metrics::Registry& metrics)
    : settings_(std::move(settings)),
      data_keys_(data_keys),
      active_(metrics.Gauge("postern_master_key_active_version",
                            "Version of the master key that wraps data keys.")),
      usable_(metrics.Gauge("postern_master_keys_usable",
                            "Whether this server's file of master keys holds what it needs.")),
      unusable_rows_(metrics.Gauge("postern_data_keys_damaged",
                                   "Data keys in the register that their master key does not open, "
                                   "as the last rewrapping found them.")),
      rewrapped_(metrics.Counter("postern_data_keys_rewrapped_total",
                                 "Data keys wrapped anew after a rotation of the master key.")),
      failures_(metrics.Counter("postern_master_key_failures_total",
                                "Looks at master keys that ended with an error.")) {}

MasterKeyKeeper::~MasterKeyKeeper() { Stop(); }

absl::Status MasterKeyKeeper::Prepare() {
  auto connection = db::Connection::Open(settings_.database);
  if (!connection.ok()) return connection.status();
  const std::lock_guard lock(mutex_);
  const absl::StatusOr<View> view = Look(**connection);
  if (!view.ok()) return view.status();
  if (!view->fault.empty()) return absl::FailedPreconditionError(view->fault);
  const auto counts = CountDataKeys(**connection);
  if (!counts.ok()) return counts.status();
  for (const auto& [version, count] : *counts) {
    if (view->held.contains(version)) continue;
    return absl::FailedPreconditionError(
        StrCat(settings_.key_file, ": ", count, " data keys are wrapped by version ", version,
               " of the master key, which it does not hold; put that line back"));
  }
  return absl::OkStatus();
}

void MasterKeyKeeper::Start() {
  const auto failed = [this](const absl::Status& status) { Warn(status); };
  auto step = [this](db::Connection& connection) {
    const absl::StatusOr<bool> more = RunOnce(connection);
    if (!more.ok()) Warn(more.status());
    return more.ok() && *more ? std::chrono::milliseconds(0) : settings_.interval;
  };
  thread_ = std::make_unique<db::UpkeepThread>(
      "master-keys", settings_.database, settings_.interval,
      db::UpkeepThread::Callbacks{step, failed, [](db::Connection&) {}});
}

void MasterKeyKeeper::Stop() {
  if (thread_ != nullptr) thread_->Stop();
}

void MasterKeyKeeper::Warn(const absl::Status& status) {
  failures_.Increment();
  if (warn_limit_.Allow()) log::Warn("master_keys_not_kept", "error", status.ToString());
}

absl::StatusOr<bool> MasterKeyKeeper::RunOnce(db::Connection& connection) {
  const std::lock_guard lock(mutex_);
  const absl::StatusOr<View> view = Look(connection);
  if (!view.ok()) return view.status();
  if (!view->fault.empty()) return absl::FailedPreconditionError(view->fault);
  return RewrapPage(connection);
}

absl::StatusOr<MasterKeyKeeper::View> MasterKeyKeeper::Look(db::Connection& connection) {
  auto keys = ReadKeyFile(settings_.key_file);
  // An unreadable file takes no key away that is in use.
  if (!keys.ok()) {
    usable_.Set(0);
    return keys.status();
  }
  absl::Status status = FillRegister(connection, *keys);
  if (!status.ok()) return status;
  absl::StatusOr<std::vector<MasterKeyRow>> rows = SelectMasterKeys(connection);
  if (!rows.ok()) return rows.status();
  View view;
  view.rows = *std::move(rows);
  view.active = ActiveOf(view.rows);
  for (const MasterKeyRow& row : view.rows) {
    const auto key = keys->find(row.version);
    if (key == keys->end()) continue;
    if (MasterKeys::CheckValue(key->second) != row.check_value) {
      view.fault = StrCat(settings_.key_file, ": version ", row.version,
                          " is not the key that the register knows by this number; restore it");
    } else if (row.retired_at_us == 0) {
      view.held.insert(row.version);
      continue;
    }
    keys->erase(key);
  }
  if (view.fault.empty() && !view.held.contains(view.active)) {
    view.fault = StrCat(settings_.key_file, ": version ", view.active,
                        " of the master key, which wraps, is not in it; ", AddLine(view.active));
  }
  status = AnnounceHolder(connection, settings_.server, view.held);
  if (!status.ok()) return status;
  usable_.Set(view.fault.empty() ? 1 : 0);
  active_.Set(view.active);
  data_keys_.UseMasterKeys(MasterKeys(*std::move(keys), view.active));
  return view;
}

// The first server of a deployment makes its highest version the active one.
absl::Status MasterKeyKeeper::FillRegister(
    db::Connection& connection, const std::map<std::uint32_t, crypto::Secret>& keys) const {
  const absl::StatusOr<std::vector<MasterKeyRow>> known = SelectMasterKeys(connection);
  if (!known.ok()) return known.status();
  for (const auto& [version, key] : keys) {
    if (FindRow(*known, version) != nullptr) continue;
    const bool first = known->empty() && version == keys.rbegin()->first;
    const absl::Status status =
        InsertMasterKey(connection, version, MasterKeys::CheckValue(key), first);
    if (!status.ok()) return status;
    log::Info("master_key_known", "version", version, "active", first);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> MasterKeyKeeper::RewrapPage(db::Connection& connection) {
  const std::shared_ptr<const MasterKeys> masters = data_keys_.Masters();
  const auto page = SelectToRewrap(connection, masters->active(), cursor_, kRewrapPageRows);
  if (!page.ok()) return page.status();
  std::int64_t rewrapped = 0;
  absl::Status status = connection.Begin();
  for (const WrappedRow& row : *page) {
    const absl::StatusOr<crypto::Secret> key = masters->Unwrap(row.id, row.wrapped);
    if (!key.ok()) {
      ++unusable_in_round_;
      if (warn_limit_.Allow()) log::Error("data_key_damaged", "error", key.status().message());
      continue;
    }
    if (!status.ok()) break;
    const auto changed = UpdateWrapped(connection, row, masters->Wrap(row.id, *key));
    status = changed.status();
    if (status.ok() && *changed) ++rewrapped;
  }
  if (status.ok()) status = connection.Commit();
  if (!status.ok()) {
    connection.Rollback();
    return status;
  }
  rewrapped_.Increment(static_cast<double>(rewrapped));
  const bool more = page->size() == static_cast<std::size_t>(kRewrapPageRows);
  cursor_ = more ? page->back().id : Uuid();
  if (!more) unusable_rows_.Set(static_cast<double>(std::exchange(unusable_in_round_, 0)));
  if (rewrapped > 0) log::Info("data_keys_rewrapped", "count", rewrapped);
  return more;
}

absl::StatusOr<std::vector<MasterKeyState>> MasterKeyKeeper::Status(db::Connection& connection) {
  const auto rows = SelectMasterKeys(connection);
  if (!rows.ok()) return rows.status();
  const auto counts = CountDataKeys(connection);
  if (!counts.ok()) return counts.status();
  const auto holders = SelectHolders(connection, kHolderSilenceUs);
  if (!holders.ok()) return holders.status();
  std::vector<MasterKeyState> states;
  for (const MasterKeyRow& row : *rows) {
    MasterKeyState& state = states.emplace_back();
    state.row = row;
    const auto count = counts->find(row.version);
    state.data_keys = count == counts->end() ? 0 : count->second;
    for (const auto& [server, versions] : *holders) {
      if (versions.contains(row.version)) state.servers.push_back(server);
    }
  }
  return states;
}

absl::StatusOr<std::uint32_t> MasterKeyKeeper::Rotate(db::Connection& connection,
                                                      std::uint32_t version,
                                                      const std::string& actor) {
  const std::lock_guard lock(mutex_);
  // The file may have been changed a moment ago.
  const absl::StatusOr<View> view = Look(connection);
  if (!view.ok()) return view.status();
  if (!view->fault.empty()) return absl::FailedPreconditionError(view->fault);
  const std::uint32_t target = version == 0 ? *view->held.rbegin() : version;
  if (!view->held.contains(target)) {
    return absl::FailedPreconditionError(StrCat(settings_.key_file, " on ", settings_.server,
                                                " holds no usable version ", target, "; ",
                                                AddLine(target)));
  }
  if (target <= view->active) {
    return absl::FailedPreconditionError(
        StrCat("version ", view->active, " wraps already, and the newest in ", settings_.key_file,
               " is ", *view->held.rbegin(), "; ", AddLine(view->active + 1)));
  }
  const auto holders = SelectHolders(connection, kHolderSilenceUs);
  if (!holders.ok()) return holders.status();
  std::vector<std::string> lacking;
  for (const auto& [server, versions] : *holders) {
    if (!versions.contains(target)) lacking.push_back(server);
  }
  if (!lacking.empty()) {
    return absl::FailedPreconditionError(
        StrCat("version ", target, " is not in the file of ", absl::StrJoin(lacking, ", "),
               " yet; add it there, servers read the file again every two seconds"));
  }
  const absl::Status activated =
      Change(connection, ActivateMasterKey, target, MakeAct(actor, "key.rotate", target));
  if (!activated.ok()) return activated;
  log::Info("master_key_rotated", "from", view->active, "to", target);
  const absl::StatusOr<View> after = Look(connection);
  if (!after.ok()) return after.status();
  return target;
}

absl::Status MasterKeyKeeper::Retire(db::Connection& connection, std::uint32_t version,
                                     const std::string& actor) {
  const std::lock_guard lock(mutex_);
  const auto rows = SelectMasterKeys(connection);
  if (!rows.ok()) return rows.status();
  const MasterKeyRow* const row = FindRow(*rows, version);
  if (row == nullptr) {
    return absl::NotFoundError(StrCat("there is no version ", version, " of the master key"));
  }
  const std::uint32_t active = ActiveOf(*rows);
  if (version >= active) {
    return absl::FailedPreconditionError(
        StrCat("version ", version, version == active ? " wraps data keys" : " was never active",
               "; only one that a rotation has left behind can be retired"));
  }
  const auto since_us = MicrosSinceActivation(connection, active);
  if (!since_us.ok()) return since_us.status();
  if (*since_us < kRotationSettleUs) {
    return absl::FailedPreconditionError(
        StrCat("version ", active,
               " has been active for less than 10 s: a server may still wrap "
               "with the old one; try again then"));
  }
  const auto counts = CountDataKeys(connection);
  if (!counts.ok()) return counts.status();
  if (const auto left = counts->find(version); left != counts->end()) {
    return absl::FailedPreconditionError(StrCat(left->second,
                                                " data keys are still wrapped by version ", version,
                                                "; the servers are at it, try again later"));
  }
  const absl::Status retired =
      Change(connection, RetireMasterKey, version, MakeAct(actor, "key.retire", version));
  if (!retired.ok()) return retired;
  log::Info("master_key_retired", "version", version);
  const absl::StatusOr<View> after = Look(connection);
  return after.ok() ? absl::OkStatus() : after.status();
}

}  // namespace postern::keys

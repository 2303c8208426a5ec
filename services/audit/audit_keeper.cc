#include "services/audit/audit_keeper.h"

#include <chrono>
#include <utility>
#include <vector>

#include "services/audit/audit_repository.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::audit {
namespace {

// The most that somebody who changes the table can hide: what was added since the last checkpoint.
constexpr std::chrono::milliseconds kInterval{1000};

}  // namespace

AuditKeeper::AuditKeeper(Settings settings, metrics::Registry& metrics)
    : settings_(std::move(settings)),
      rows_(metrics.Gauge("postern_audit_rows", "Rows of the audit log.")),
      checkpoint_rows_(metrics.Gauge("postern_audit_checkpoint_rows",
                                     "Rows of the audit log that the last checkpoint covers.")),
      broken_(metrics.Gauge("postern_audit_broken",
                            "1 when the audit log is not what this server's last checkpoint says: "
                            "rows are gone or rewritten, or an older database was restored.")) {}

AuditKeeper::~AuditKeeper() { Stop(); }

absl::Status AuditKeeper::Start() {
  auto checkpoints = CheckpointFile::Open(settings_.folder);
  if (!checkpoints.ok()) return checkpoints.status();
  checkpoints_ = std::make_unique<CheckpointFile>(*std::move(checkpoints));
  db::UpkeepThread::Callbacks callbacks;
  callbacks.step = [this](db::Connection& connection) {
    Work(connection);
    return kInterval;
  };
  callbacks.on_unavailable = [this](const absl::Status& status) { Warn(status); };
  callbacks.at_end = [this](db::Connection& connection) { Work(connection); };
  thread_ = std::make_unique<db::UpkeepThread>("audit", settings_.database, kInterval,
                                               std::move(callbacks));
  return absl::OkStatus();
}

void AuditKeeper::Stop() {
  if (thread_) thread_->Stop();
}

void AuditKeeper::Work(db::Connection& connection) {
  absl::Status status = WriteRefusals(connection);
  if (status.ok()) status = WriteCheckpoint(connection);
  if (!status.ok()) Warn(status);
}

void AuditKeeper::Warn(const absl::Status& status) {
  if (warn_limit_.Allow()) log::Warn("audit_upkeep_failed", "error", status.ToString());
}

absl::Status AuditKeeper::WriteRefusals(db::Connection& connection) {
  std::vector<Act> acts = refusals_.Take();
  while (!acts.empty()) {
    if (absl::Status status = AppendAlone(connection, acts.back()); !status.ok()) {
      refusals_.PutBack(acts);
      return status;
    }
    acts.pop_back();
  }
  return absl::OkStatus();
}

absl::Status AuditKeeper::WriteCheckpoint(db::Connection& connection) {
  const auto& last = checkpoints_->last();
  // From the row of the last checkpoint on: it must still be there.
  const std::int64_t known = last ? last->sequence : 0;
  const auto piece = SelectChain(connection, known == 0 ? 0 : known - 1, 1);
  if (!piece.ok()) return piece.status();
  const Head& head = piece->head;
  rows_.Set(static_cast<double>(head.sequence));
  const bool sound =
      known == 0 || (piece->rows.size() == 1 && piece->rows.front().sequence == known &&
                     piece->rows.front().hash == last->hash);
  broken_.Set(sound ? 0 : 1);
  checkpoint_rows_.Set(static_cast<double>(known));
  if (!sound) {
    return absl::DataLossError(StrCat("the audit log no longer holds row ", known,
                                      " as this server signed it: posternctl audit verify"));
  }
  if (head.sequence == known) return absl::OkStatus();
  Checkpoint next;
  next.server = settings_.server_name;
  next.sequence = head.sequence;
  next.hash = head.hash;
  next.at_us = NowMicros();
  if (absl::Status status = checkpoints_->Add(next); !status.ok()) return status;
  checkpoint_rows_.Set(static_cast<double>(next.sequence));
  return absl::OkStatus();
}

}  // namespace postern::audit

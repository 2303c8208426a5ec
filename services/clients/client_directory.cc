#include "services/clients/client_directory.h"

#include <chrono>
#include <future>
#include <memory>

#include "services/common/base/strings.h"
#include "services/common/log/log.h"

namespace postern::clients {
namespace {

constexpr std::chrono::milliseconds kPollInterval{500};
constexpr std::chrono::seconds kReadTimeout{10};
constexpr std::int64_t kRowsPerQuery = 1000;
constexpr int kClientsPerStep = 500;

}  // namespace

ClientDirectory::ClientDirectory(db::Executor& database, metrics::Registry& metrics)
    : database_(database),
      revision_gauge_(metrics.Gauge("postern_client_directory_revision",
                                    "Revision of the client directory as this process knows it.")),
      clients_gauge_(metrics.Gauge("postern_clients", "Registered clients.")),
      watchers_(metrics.Gauge("postern_client_directory_watchers",
                              "Edges that watch the client directory.")),
      poller_("directory", kPollInterval, [this] {
        const absl::Status status = Refresh();
        if (!status.ok() && warn_limit_.Allow()) {
          log::Warn("client_directory_stale", "error", status.ToString());
        }
      }) {}

ClientDirectory::~ClientDirectory() { Stop(); }

absl::Status ClientDirectory::Start() {
  if (absl::Status status = Refresh(); !status.ok()) return status;
  poller_.Start();
  return absl::OkStatus();
}

void ClientDirectory::Stop() {
  poller_.Stop();
  watchers_.Stop();
}

absl::Status ClientDirectory::Refresh() {
  // Shared: the work may outlive the wait.
  auto promise = std::make_shared<std::promise<absl::Status>>();
  auto done = promise->get_future();
  auto work = [this, promise](absl::StatusOr<db::Connection*> connection) {
    promise->set_value(connection.ok() ? ReadChanges(**connection) : connection.status());
  };
  if (!database_.TrySubmit(Deadline::After(kReadTimeout), std::move(work))) {
    return absl::UnavailableError("the database executor is busy");
  }
  return done.get();
}

absl::Status ClientDirectory::ReadChanges(db::Connection& connection) {
  const auto revision = SelectRevision(connection);
  if (!revision.ok()) return revision.status();
  std::int64_t known = 0;
  {
    const std::lock_guard lock(mutex_);
    if (revision_ == *revision) return absl::OkStatus();
    known = revision_;
  }
  // Gone back: the database was restored from a backup.
  const bool from_scratch = known == 0 || *revision < known;
  if (from_scratch && known != 0) {
    log::Warn("client_directory_went_back", "from", known, "to", *revision);
  }
  std::vector<DirectoryEntry> changes;
  Key last{from_scratch ? 0 : known, std::string()};
  // At a revision that is known whole, no id comes after.
  std::int64_t after_revision = last.first;
  std::string after_id = from_scratch ? "" : "\x7f";
  while (true) {
    auto rows = SelectChanges(connection, after_revision, after_id, kRowsPerQuery);
    if (!rows.ok()) return rows.status();
    const bool full = rows->size() == static_cast<std::size_t>(kRowsPerQuery);
    if (!rows->empty()) {
      after_revision = rows->back().revision;
      after_id = rows->back().client.client_id();
    }
    for (DirectoryEntry& row : *rows) changes.push_back(std::move(row));
    if (!full) break;
  }
  Apply(std::move(changes), *revision, from_scratch);
  watchers_.TellChanged();
  return absl::OkStatus();
}

void ClientDirectory::Apply(std::vector<DirectoryEntry> changes, std::int64_t revision,
                            bool from_scratch) {
  const std::lock_guard lock(mutex_);
  if (from_scratch) {
    by_revision_.clear();
    revision_of_.clear();
    ++generation_;
  }
  for (DirectoryEntry& change : changes) {
    const std::string id = change.client.client_id();
    if (const auto old = revision_of_.find(id); old != revision_of_.end()) {
      by_revision_.erase(Key(old->second, id));
    }
    revision_of_[id] = change.revision;
    by_revision_[Key(change.revision, id)] = std::move(change.client);
  }
  revision_ = revision;
  revision_gauge_.Set(static_cast<double>(revision));
  clients_gauge_.Set(static_cast<double>(revision_of_.size()));
}

DirectoryCursor ClientDirectory::CursorAfter(std::int64_t revision) const {
  const std::lock_guard lock(mutex_);
  DirectoryCursor cursor;
  if (revision > 0 && revision <= revision_) {
    cursor.generation = generation_;
    cursor.revision = revision;
  }
  return cursor;
}

bool ClientDirectory::NextStep(DirectoryCursor& cursor, v1::WatchClientsResponse& step) const {
  const std::lock_guard lock(mutex_);
  const bool snapshot = cursor.generation != generation_;
  if (snapshot) {
    cursor = DirectoryCursor();
    cursor.generation = generation_;
  }
  step.Clear();
  step.set_snapshot(snapshot);
  auto next = cursor.client_id.empty()
                  ? by_revision_.lower_bound(Key(cursor.revision + 1, std::string()))
                  : by_revision_.upper_bound(Key(cursor.revision, cursor.client_id));
  for (; next != by_revision_.end() && step.clients_size() < kClientsPerStep; ++next) {
    *step.add_clients() = next->second;
    cursor.revision = next->first.first;
    cursor.client_id = next->first.second;
  }
  if (next != by_revision_.end()) return true;
  if (step.clients_size() == 0 && cursor.told_revision == revision_) return false;
  step.set_revision(revision_);
  cursor.told_revision = revision_;
  return true;
}

}  // namespace postern::clients

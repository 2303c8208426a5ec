#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "services/certificates/authorities.h"
#include "services/certificates/revocation_repository.h"
#include "services/common/base/file_mark.h"
#include "services/common/db/upkeep_thread.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"

namespace postern::certificates {

// Keeps a CRL of each issuing CA in the database and in the CA folder: a new one within half a
// second of a revocation, and long before the next update of the old one is due. Numbers and times
// rise strictly, with several servers too: they take turns on the revision of the trust.
//
// The CRLs on disk outlive the database. One that is newer than the database's says that the
// database was restored from a backup, or that certificates were revoked by hand (postern-certs):
// what it lists is revoked again, and the numbers go on from it.
class CrlPublisher {
 public:
  struct Settings {
    db::Settings database;
    std::chrono::seconds crl_life{24 * 3600};  // From this update to next update.
  };

  // `authorities` must outlive this. `on_published` is called on the publisher's thread.
  CrlPublisher(Settings settings, Authorities& authorities, std::function<void()> on_published,
               metrics::Registry& metrics);
  ~CrlPublisher() { Stop(); }

  // Reads the states of the CAs and the CRLs on disk, publishes what is due, then starts the
  // thread.
  absl::Status Start(db::Connection& connection);
  void Stop();

 private:
  absl::Status Step(db::Connection& connection);
  absl::Status MergeDisk(db::Connection& connection, const std::string& name);
  absl::Status WriteDisk(const StoredCrl& crl);
  // What tells whether somebody else has written the file.
  FileMark MarkOnDisk(const std::string& name) const;
  // Publishes when something is due.
  absl::Status Look(db::Connection& connection, const std::string& name);
  absl::Status Publish(db::Connection& connection, const std::string& name);
  void Export(const StoredCrl& crl);

  const Settings settings_;
  Authorities& authorities_;
  const std::function<void()> on_published_;
  metrics::Registry& metrics_;
  std::map<std::string, std::int64_t> disk_numbers_;  // Of the CRLs found on disk.
  std::map<std::string, FileMark> disk_marks_;        // Of the files as last read or written.
  std::int64_t seen_revision_ = 0;
  std::int64_t next_look_s_ = 0;
  log::RateLimit warn_limit_{10'000};
  std::unique_ptr<db::UpkeepThread> thread_;
};

}  // namespace postern::certificates

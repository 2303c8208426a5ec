#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/load/ledger_format.h"

namespace postern::load {

// Writes a ledger: records are gathered in memory, and a thread writes and fdatasyncs them every
// kLedgerSyncInterval. Add is for one thread at a time.
class LedgerWriter {
 public:
  // Makes the file; AlreadyExists when there is one, since a ledger belongs to one run.
  static absl::StatusOr<std::unique_ptr<LedgerWriter>> Create(const std::string& path);
  ~LedgerWriter();
  LedgerWriter(const LedgerWriter&) = delete;
  LedgerWriter& operator=(const LedgerWriter&) = delete;

  template <typename Record>
  void Add(const Record& record) {
    const std::lock_guard lock(mutex_);
    AppendRecord(gathered_, record);
  }
  // Writes and fsyncs everything, ends the thread. The first error of the whole run, if any.
  // Idempotent.
  absl::Status Close();
  // The first error so far.
  absl::Status status() const;

 private:
  explicit LedgerWriter(int fd);
  void Run();
  absl::Status WriteOut(const std::string& records) const;

  const int fd_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string gathered_;
  absl::Status status_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace postern::load

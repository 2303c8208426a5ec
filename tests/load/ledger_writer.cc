#include "tests/load/ledger_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/base/time.h"
#include "tests/load/limits.h"

namespace postern::load {

absl::StatusOr<std::unique_ptr<LedgerWriter>> LedgerWriter::Create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("ledger ", path));
  return std::unique_ptr<LedgerWriter>(new LedgerWriter(fd));
}

LedgerWriter::LedgerWriter(int fd) : fd_(fd) {
  AppendHeader(gathered_, NowMicros());
  thread_ = std::thread([this] { Run(); });
}

LedgerWriter::~LedgerWriter() {
  Close().IgnoreError();
  ::close(fd_);
}

absl::Status LedgerWriter::Close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  return status();
}

absl::Status LedgerWriter::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void LedgerWriter::Run() {
  std::string records;
  bool last = false;
  while (!last) {
    records.clear();
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kLedgerSyncInterval, [this] { return closing_; });
      last = closing_;
      std::swap(records, gathered_);
    }
    if (records.empty()) continue;
    const absl::Status written = WriteOut(records);
    const std::lock_guard lock(mutex_);
    status_.Update(written);
  }
}

absl::Status LedgerWriter::WriteOut(const std::string& records) const {
  std::string_view rest = records;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, "writing the ledger");
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(fd_) != 0) return absl::ErrnoToStatus(errno, "fsyncing the ledger");
  return absl::OkStatus();
}

}  // namespace postern::load

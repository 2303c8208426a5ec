#include "services/common/rpc/identity_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/tls/key_pair.h"

namespace postern::rpc {
namespace {

constexpr std::chrono::milliseconds kLookInterval{1000};

absl::Status SystemError(std::string_view what) {
  return absl::UnavailableError(StrCat(what, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::shared_ptr<IdentityFile>> IdentityFile::Of(const tls::Files& files) {
  static std::mutex mutex;
  static auto& all =
      *new std::map<std::pair<std::string, std::string>, std::weak_ptr<IdentityFile>>();
  const std::lock_guard lock(mutex);
  std::weak_ptr<IdentityFile>& known = all[{files.certificate, files.key}];
  if (auto in_use = known.lock()) return in_use;
  std::shared_ptr<IdentityFile> made(new IdentityFile(files));
  if (absl::Status opened = made->Open(); !opened.ok()) return opened;
  known = made;
  return made;
}

IdentityFile::IdentityFile(const tls::Files& files)
    : files_(files), poller_("identity", kLookInterval, [this] { Refresh(); }) {}

IdentityFile::~IdentityFile() {
  poller_.Stop();
  if (fd_ >= 0) ::close(fd_);
}

absl::Status IdentityFile::Open() {
  marks_ = Look();
  const absl::StatusOr<int> fd = Read();
  if (!fd.ok()) return fd.status();
  fd_ = *fd;
  path_ = StrCat("/proc/self/fd/", fd_);
  poller_.Start();
  return absl::OkStatus();
}

IdentityFile::Marks IdentityFile::Look() const {
  return {MarkOf(files_.certificate), MarkOf(files_.key)};
}

absl::StatusOr<int> IdentityFile::Read() const {
  const auto pair = tls::ReadKeyPair(files_);
  if (!pair.ok()) return pair.status();
  const int fd = ::memfd_create("identity", MFD_CLOEXEC);
  if (fd < 0) return SystemError("cannot make a file in memory");
  std::string_view rest = pair->view();
  while (!rest.empty()) {
    const ssize_t size = ::write(fd, rest.data(), rest.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      const absl::Status status = SystemError("cannot write a file in memory");
      ::close(fd);
      return status;
    }
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  return fd;
}

void IdentityFile::Refresh() {
  // Before the files are read: a change in between is seen the next time.
  const Marks marks = Look();
  if (marks == marks_) return;
  const absl::StatusOr<int> fd = Read();
  if (!fd.ok()) {
    // Perhaps only one of the two is new yet.
    if (warn_limit_.Allow()) log::Warn("certificate_not_taken", "reason", fd.status().message());
    return;
  }
  // The number now stands for the new file; whoever reads the old one goes on with that.
  ::dup3(*fd, fd_, O_CLOEXEC);
  ::close(*fd);
  marks_ = marks;
  log::Info("certificate_taken", "file", files_.certificate);
}

}  // namespace postern::rpc

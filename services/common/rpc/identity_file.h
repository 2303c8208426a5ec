#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/base/file_mark.h"
#include "services/common/exec/poller.h"
#include "services/common/log/log.h"
#include "services/common/tls/settings.h"

namespace postern::rpc {

// One file with a certificate and its key, for gRPC's file watcher, which reads two files one after
// the other and would take a new key beside an old certificate. The file is in memory, and another
// one takes its place as a whole once both files on disk have changed and belong together: a thread
// looks once a second. Thread-safe.
class IdentityFile {
 public:
  // The one of these two files, as long as somebody holds it. FailedPrecondition or NotFound when
  // they are not usable now.
  static absl::StatusOr<std::shared_ptr<IdentityFile>> Of(const tls::Files& files);
  ~IdentityFile();
  IdentityFile(const IdentityFile&) = delete;
  IdentityFile& operator=(const IdentityFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  using Marks = std::array<FileMark, 2>;

  explicit IdentityFile(const tls::Files& files);
  absl::Status Open();
  Marks Look() const;
  void Refresh();
  // What both files hold, as a file in memory.
  absl::StatusOr<int> Read() const;

  const tls::Files files_;
  std::string path_;
  int fd_ = -1;
  Marks marks_{};  // Of what is in use.
  log::RateLimit warn_limit_{10'000};
  exec::Poller poller_;
};

}  // namespace postern::rpc

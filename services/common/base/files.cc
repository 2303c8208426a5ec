#include "services/common/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "services/common/base/strings.h"

namespace postern {
namespace {

constexpr mode_t kSharedBits = 0077;

absl::Status SystemError(std::string_view what, const std::string& path) {
  const int error = errno;
  const std::string message = StrCat(what, " ", path, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path) {
  std::string content;
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    const ssize_t size = ::read(fd, buffer.data(), buffer.size());
    if (size == 0) return content;
    if (size > 0) {
      content.append(buffer.data(), static_cast<std::size_t>(size));
    } else if (errno != EINTR) {
      return SystemError("cannot read", path);
    }
  }
}

absl::Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t size = ::write(fd, content.data(), content.size());
    if (size >= 0) {
      content.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno != EINTR) {
      return SystemError("cannot write", path);
    }
  }
  if (::fsync(fd) != 0) return SystemError("cannot fsync", path);
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError("cannot open folder", folder);
  const absl::Cleanup close_fd = [fd] { ::close(fd); };
  if (::fsync(fd) != 0) return SystemError("cannot fsync folder", folder);
  return absl::OkStatus();
}

// systemd shows credentials to the service with an ACL, which makes the group bits look open.
bool IsSystemdCredential(const std::string& path) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  return folder != nullptr && *folder != '\0' && absl::StartsWith(path, StrCat(folder, "/"));
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError("cannot open", path);
  const absl::Cleanup close_fd = [fd] { ::close(fd); };
  return ReadAll(fd, path);
}

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError("cannot open", path);
  const absl::Cleanup close_fd = [fd] { ::close(fd); };
  struct stat info {};
  if (::fstat(fd, &info) != 0) return SystemError("cannot stat", path);
  if ((info.st_mode & kSharedBits) != 0 && !IsSystemdCredential(path)) {
    return absl::FailedPreconditionError(
        StrCat(path, " holds a secret and is open to group or others: chmod 600 ", path));
  }
  absl::StatusOr<std::string> content = ReadAll(fd, path);
  if (content.ok() && absl::EndsWith(*content, "\n")) content->pop_back();
  return content;
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view content) {
  std::string temporary = StrCat(path, ".XXXXXX");
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return SystemError("cannot create a file beside", path);
  const absl::Status written = WriteAll(fd, content, temporary);
  ::close(fd);
  if (!written.ok()) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const absl::Status status = SystemError("cannot rename over", path);
    ::unlink(temporary.c_str());
    return status;
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return SyncFolder(folder.empty() ? "." : folder);
}

}  // namespace postern

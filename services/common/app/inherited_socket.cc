#include "services/common/app/inherited_socket.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "services/common/base/strings.h"

namespace postern::app {
namespace {

constexpr int kFirstDescriptor = 3;

std::string TakeVariable(const char* name) {
  const char* const value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  ::unsetenv(name);
  return taken;
}

}  // namespace

absl::StatusOr<std::optional<int>> InheritedSocket() {
  const std::string pid = TakeVariable("LISTEN_PID");
  const std::string count = TakeVariable("LISTEN_FDS");
  TakeVariable("LISTEN_FDNAMES");
  // Meant for another process, of whose environment this one's is a copy.
  if (pid != std::to_string(::getpid())) return std::nullopt;
  int sockets = 0;
  if (!absl::SimpleAtoi(count, &sockets) || sockets != 1) {
    return absl::InvalidArgumentError(
        StrCat("LISTEN_FDS is ", count, ": want exactly one socket, that of the REST port"));
  }
  ::fcntl(kFirstDescriptor, F_SETFD, FD_CLOEXEC);
  return kFirstDescriptor;
}

}  // namespace postern::app

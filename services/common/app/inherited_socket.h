#pragma once

#include <optional>

#include "absl/status/statusor.h"

namespace postern::app {

// The listening socket that whoever started this process hands over to it (sd_listen_fds(3):
// LISTEN_PID, LISTEN_FDS, descriptor 3), so that no connection is refused while one process ends
// and the next begins. Nullopt when there is none; InvalidArgument for more than one. To be called
// once: it takes the variables out of the environment.
absl::StatusOr<std::optional<int>> InheritedSocket();

}  // namespace postern::app

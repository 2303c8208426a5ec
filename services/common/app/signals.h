#pragma once

#include <functional>

namespace postern::app {

// Blocks SIGINT, SIGTERM and SIGHUP in the calling thread and all that it starts, ignores SIGPIPE.
// First thing in main.
void BlockSignals();
// Waits for SIGINT or SIGTERM; calls `on_hangup` at each SIGHUP meanwhile. A second SIGINT or
// SIGTERM after it has returned ends the process at once (exit status 1).
void WaitForStop(const std::function<void()>& on_hangup = nullptr);

}  // namespace postern::app

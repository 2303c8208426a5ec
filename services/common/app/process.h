#pragma once

#include <cstddef>

#include "absl/status/status.h"

namespace postern::app {

// What every daemon does first in main, before threads: BlockSignals, Abseil's search for lock
// cycles switched off, and as many file descriptors as the hard limit allows. Debian builds Abseil
// with that search, and gRPC's locks would pay for it at every acquisition.
void PrepareProcess();

// How many file descriptors this process may have.
std::size_t DescriptorLimit();

// For programs that hold plaintext or keys in memory, before any of it is there: no core dump is
// ever written, and no other process of the same user may read this one's memory. OK, or why the
// system refused it.
absl::Status DisableCoreDumps();

// The last thing in main, once everything is stopped: flushes the standard streams and ends the
// process without running destructors of libraries. gRPC's own threads may still close connections
// after its last object is gone; a return from main would free OpenSSL's state under them.
[[noreturn]] void EndProcess(int exit_code);

}  // namespace postern::app

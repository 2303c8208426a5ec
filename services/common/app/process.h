#pragma once

namespace postern::app {

// What every daemon does first in main, before threads: BlockSignals, and Abseil's search for lock
// cycles switched off. Debian builds Abseil with it, and gRPC's locks would pay for it at every
// acquisition.
void PrepareProcess();

// The last thing in main, once everything is stopped: flushes the standard streams and ends the
// process without running destructors of libraries. gRPC's own threads may still close connections
// after its last object is gone; a return from main would free OpenSSL's state under them.
[[noreturn]] void EndProcess(int exit_code);

}  // namespace postern::app

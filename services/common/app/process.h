#pragma once

namespace postern::app {

// What every daemon does first in main, before threads: BlockSignals, and Abseil's search for lock
// cycles switched off. Debian builds Abseil with it, and gRPC's locks would pay for it at every
// acquisition.
void PrepareProcess();

}  // namespace postern::app

#pragma once

namespace postern::rpc {

// From now on what gRPC itself has to say goes to the log, errors only and at most one line a
// second: peers can cause as many as they like, with handshakes that fail. Once, before the first
// channel or server.
void RedirectLog();

}  // namespace postern::rpc

#pragma once

#include <chrono>
#include <cstddef>

// Bounds of the main server that are not configuration.
namespace postern::server {

// Pieces of database work that may wait for a connection; more is RESOURCE_EXHAUSTED.
inline constexpr std::size_t kDatabaseQueueMax = 1024;
// Data keys are looked up on a connection of their own, so that a look-up never waits for the work
// that needs it.
inline constexpr std::size_t kKeyConnections = 1;
inline constexpr std::size_t kKeyQueueMax = 256;
// Threads that decrypt deliveries, and calls that may wait for one.
inline constexpr std::size_t kOpenerThreads = 2;
inline constexpr std::size_t kOpenerQueueMax = 256;
// How long a start waits for a database that does not answer yet, and how often it tries.
inline constexpr std::chrono::seconds kDatabaseStartWait{10};
inline constexpr std::chrono::milliseconds kDatabaseStartRetry{250};
// How often the health service follows the database's state.
inline constexpr std::chrono::milliseconds kHealthInterval{250};
// Threads of gRPC's synchronous services, which are reflection and channelz.
inline constexpr int kSyncThreadsMax = 4;
// Programs that are remembered as seen.
inline constexpr std::size_t kSeenPeersMax = 1000;
inline constexpr std::chrono::seconds kDatabaseStatusTimeout{10};
// Longest part of a denied method's name that is logged: it comes from the peer.
inline constexpr std::size_t kLoggedMethodMax = 128;

}  // namespace postern::server

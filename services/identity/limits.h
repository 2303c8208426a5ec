#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// Bounds of the identities that are not configuration.
namespace postern::identity {

// Columns as the schema has them.
inline constexpr std::size_t kEmailMax = 120;
inline constexpr std::size_t kNameMax = 100;
inline constexpr std::size_t kAddressMax = 45;
inline constexpr std::size_t kUserAgentMax = 200;
inline constexpr std::size_t kReasonMax = 500;
inline constexpr std::size_t kLinksMax = 100;

// What bcrypt looks at: a longer password would be cut, so it is refused.
inline constexpr std::size_t kPasswordBytesMax = 72;
inline constexpr std::size_t kPasswordLengthMin = 12;
inline constexpr std::chrono::hours kOneTimePasswordLife{72};

inline constexpr std::chrono::minutes kAccessTokenLife{10};
inline constexpr std::chrono::hours kSessionIdleMax{12};
inline constexpr std::chrono::hours kSessionLifeMax{24 * 7};
// How long the refresh token before the current one may come again.
inline constexpr std::chrono::seconds kRefreshGrace{10};
// Live sessions of one user; the oldest ends when another begins.
inline constexpr int kSessionsMax = 20;
// Longer is no token of ours.
inline constexpr std::size_t kAccessTokenBytesMax = 2048;
// Clocks of two servers may differ by so much.
inline constexpr std::chrono::seconds kClockSkewMax{60};

// A signing key signs for so long; those before it verify until their last token has ended.
inline constexpr std::chrono::hours kTokenKeyLife{24 * 30};
inline constexpr std::chrono::hours kTokenKeyKeep{24};
// Another server verifies with a new key only once it has read it.
inline constexpr std::chrono::seconds kTokenKeySettle{10};

// The directory of users: how often it looks for what other servers changed, and from which age on
// it is not believed any more.
inline constexpr std::chrono::milliseconds kDirectoryPoll{250};
inline constexpr std::chrono::seconds kDirectoryAgeMax{5};
// Access tokens whose signature is known to be good; past it they are checked anew.
inline constexpr std::size_t kVerifiedTokensMax = 4096;
// Ended sessions are remembered until the last access token of theirs has ended.
inline constexpr std::chrono::minutes kEndedSessionMemory{15};

// Threads that hash passwords, and calls that may wait for one: a password takes a quarter of a
// second.
inline constexpr std::size_t kHasherThreads = 1;
inline constexpr std::size_t kHasherQueueMax = 32;

inline constexpr std::chrono::seconds kCallTimeout{10};
inline constexpr int kPageDefault = 50;
inline constexpr int kPageMax = 1000;
inline constexpr int kLoginsShown = 20;
// Two changes at the same moment may meet in a deadlock.
inline constexpr int kAttempts = 3;

// Upkeep: how often, how much at once, how long things are kept.
inline constexpr std::chrono::seconds kUpkeepInterval{60};
inline constexpr std::int64_t kUpkeepRows = 500;
inline constexpr std::chrono::hours kEndedSessionKeep{24};
inline constexpr std::chrono::hours kLoginKeep{24 * 180};
inline constexpr std::chrono::hours kThrottleKeep{24};

// 0 for a time that never was.
constexpr std::int64_t Micros(std::chrono::microseconds duration) { return duration.count(); }

}  // namespace postern::identity

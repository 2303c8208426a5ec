#pragma once

#include <chrono>
#include <cstddef>

// Every bound and time of the worker that is not configured.
namespace postern::worker {

// How long Redis holds a read that finds nothing. It bounds how long a stop waits for the last
// read.
inline constexpr std::chrono::milliseconds kReadBlock{250};
// Beyond the time that Redis may take by itself.
inline constexpr std::chrono::milliseconds kRedisTimeout{5000};
// Between tries to reach Redis again: doubles from the first to the last, less up to half by
// chance.
inline constexpr std::chrono::milliseconds kReconnectFirst{100};
inline constexpr std::chrono::milliseconds kReconnectLast{1000};

// Larger entries were not made by an edge; they count as unreadable and are cut to this when they
// are handed over.
inline constexpr std::size_t kMaxEnvelopeBytes = 1024 * 1024;
// A batch is closed before it would exceed this. With one entry more it stays under gRPC's limit of
// 4 MiB.
inline constexpr std::size_t kMaxBatchBytes = 2 * 1024 * 1024;

// Calls to the server at a time. More make smaller batches: what waits for a call travels together.
inline constexpr std::size_t kMaxCalls = 4;
// A delivery call ends after this, and always within this share of the retry interval: an entry
// must not be claimed while it is being delivered.
inline constexpr std::chrono::milliseconds kMaxDeliveryTime{10'000};
inline constexpr double kDeliveryShareOfInterval = 0.45;
// Between tries while the server cannot be reached.
inline constexpr std::chrono::milliseconds kServerPauseFirst{100};
inline constexpr std::chrono::milliseconds kServerPauseLast{250};

// How long a wait for a change of the connection may hold up the stop.
inline constexpr std::chrono::milliseconds kStatePoll{200};

// Acknowledgements are gathered for so long: nobody waits for them, and each flush is an fsync of
// Redis.
inline constexpr std::chrono::milliseconds kAckInterval{25};

// Claims run at a tenth of the retry interval, within these bounds.
inline constexpr std::chrono::milliseconds kClaimPeriodMin{20};
inline constexpr std::chrono::milliseconds kClaimPeriodMax{1000};
// Claims that follow each other without a pause while there is more to look at.
inline constexpr int kMaxClaimRounds = 64;
// How often, and how many entries of a shard, are looked at for such as Redis took in the future:
// by at least so much, which is more than a clock that is being adjusted jumps.
inline constexpr std::chrono::milliseconds kFutureEntriesPeriod{10'000};
inline constexpr std::chrono::milliseconds kFutureEntryMin{1000};
inline constexpr int kFutureEntriesLooked = 256;

// This part of what may be in flight is kept for claimed entries, so that neither they nor new ones
// starve.
inline constexpr std::size_t kClaimedShare = 4;

// Reports of failed attempts that wait for the server. Past it the newest are dropped: the register
// is late then, nothing is lost.
inline constexpr std::size_t kMaxReports = 10'000;
inline constexpr std::size_t kMaxReportsPerCall = 500;
inline constexpr std::chrono::milliseconds kReportTime{10'000};
inline constexpr std::chrono::milliseconds kReportPause{250};

// A consumer of another process that holds nothing and was silent for so long is deleted.
inline constexpr std::chrono::minutes kStaleConsumer{10};
inline constexpr std::chrono::minutes kStaleConsumerPeriod{5};

// How often the stop looks whether a part has finished.
inline constexpr std::chrono::milliseconds kStopPoll{5};

}  // namespace postern::worker

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace postern::messages {

// Messages in one call; the protocol says so.
inline constexpr int kBatchMax = 1000;

// How long a call may take whose caller says nothing.
inline constexpr std::chrono::seconds kCallTimeoutMax{30};

// Messages that the writer has in hand, held registrations included. At about 2 KiB each this
// bounds its memory to 64 MiB.
inline constexpr std::size_t kWriterMessagesMax = 32'768;
// Rows in one transaction: enough to make the commit cheap, little enough to keep locks and redo
// short.
inline constexpr std::size_t kTransactionRowsMax = 2048;
// Registrations that a transaction takes in even when it is full.
inline constexpr std::size_t kDueRegistrationsMin = 256;
// How often a transaction that met a deadlock is run again before its messages are sent back.
inline constexpr int kTransactionAttempts = 4;
// Limit of one statement of the writer.
inline constexpr std::chrono::seconds kWriterStatementTimeout{10};
// Ids of messages delivered a moment ago that each of two generations holds: over a minute at full
// rate.
inline constexpr std::size_t kRecentIdsPerGeneration = 524'288;

// Messages in one page of a list.
inline constexpr int kPageDefault = 50;
inline constexpr int kPageMax = 1000;

// Rows that the reconciler looks at in one step, and steps in one run while nothing is missing.
inline constexpr int kReconcilePageRows = 500;
inline constexpr int kReconcilePagesPerRun = 20;
// Pages in one part of a round that an operator asked for: within the deadline of a call.
inline constexpr int kReconcilePagesPerPart = 8;

// Entries of a shard that the sweep looks at in one script, which nothing else in Redis overtakes;
// and scripts for each shard in one run.
inline constexpr int kSweepEntries = 200;
inline constexpr int kSweepRoundsPerRun = 50;
// How idle an entry counts that the sweep gives back: longer than any retry interval, so that the
// next claim takes it.
inline constexpr std::chrono::hours kSweepIdle{48};

// How long a server may be silent before another takes its upkeep over.
inline constexpr std::chrono::seconds kLeaseDuration{15};
// The ledger is sampled once a second, or so seldom that this share of the time goes into it
// (LedgerPace).
inline constexpr std::chrono::seconds kLedgerInterval{1};
inline constexpr int kLedgerPausePerWork = 20;
// How long the register must know more than the queue counted before that is put down to a lost
// queue. Longer than the reconciler needs to clear rows that are in both tables.
inline constexpr std::chrono::seconds kLedgerSettle{30};

// Partitions that one run of the retention adds or drops, and the pause before it goes on: each of
// them keeps everybody from the table for some milliseconds.
inline constexpr std::size_t kPartitionStepsPerRun = 8;
inline constexpr std::chrono::seconds kPartitionPause{1};
// The catch-all partition is split by itself up to so many rows, which takes a second or two.
inline constexpr std::int64_t kRestRowsMax = 100'000;
// How far ahead partitions are made: a weekend without anybody looking.
inline constexpr std::int64_t kPartitionsAheadHours = 72;
// Limit of a call that changes partitions.
inline constexpr std::chrono::hours kPartitionCallTimeoutMax{1};

// Entries that the reconciler asks the queue for at once. Their content comes back: the commands
// must fit one read of Redis (16 KiB), see redis::Connection.
inline constexpr std::size_t kQueueLooksPerExchange = 100;
// Limit of one exchange with Redis.
inline constexpr std::chrono::seconds kQueueExchangeTimeout{5};

// Columns as the schema has them.
inline constexpr std::size_t kClientIdMax = 64;
inline constexpr std::size_t kDomainMax = 253;
inline constexpr std::size_t kClientRefMax = 64;
// E.164 with its plus sign.
inline constexpr std::size_t kNumberMax = 16;
inline constexpr std::size_t kBodyCiphertextMax = 4100;
inline constexpr std::size_t kNumberCiphertextMax = 64;
inline constexpr std::size_t kMetadataMax = 2048;
inline constexpr std::size_t kTraceparentMax = 55;
inline constexpr std::size_t kReasonMax = 64;
inline constexpr std::uint32_t kEpochMax = 1'000'000;
inline constexpr std::size_t kEntryIdMax = 41;

}  // namespace postern::messages

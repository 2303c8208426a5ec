#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// Every fixed limit of the edge, in one place. What operators may change is in settings.h.
namespace postern::edge {

// --- What a client may send ---
inline constexpr std::size_t kHeaderBytesMax = 16 * 1024;
inline constexpr std::size_t kBodyBytesMax = 64 * 1024;
// A batch: 1,000 messages of the largest size, written without escapes, fit.
inline constexpr std::size_t kBatchMessagesMax = 1'000;
inline constexpr std::size_t kBatchBodyBytesMax = 8 * 1024 * 1024;
// Bodies over kBodyBytesMax that a lane takes in at one time, in all and of one client.
inline constexpr std::size_t kLargeBodiesMax = 8;
inline constexpr std::size_t kLargeBodiesOfClientMax = 2;
// After so many messages of a batch the lane's other requests have their turn.
inline constexpr std::size_t kBatchStep = 64;
inline constexpr std::size_t kJsonDepthMax = 8;
// A request lists at most so many violations.
inline constexpr std::size_t kViolationsMax = 50;
// A member's name is repeated in an answer only up to this length.
inline constexpr std::size_t kMemberNameBytesMax = 64;
inline constexpr std::size_t kMessageCodePointsMax = 1000;
// E.164 has at most 15 digits. The shortest numbers in use (+290, +683) have 7.
inline constexpr std::size_t kNumberDigitsMin = 7;
inline constexpr std::size_t kNumberDigitsMax = 15;
inline constexpr std::size_t kMetadataMembersMax = 16;
inline constexpr std::size_t kMetadataBytesMax = 2048;
inline constexpr std::size_t kClientRefBytesMax = 64;

inline constexpr std::size_t kIdempotencyKeyBytesMax = 255;

// --- Idempotency ---
// How long the queue remembers a key, from the first request with it.
inline constexpr std::chrono::hours kIdempotencyLifetime{24};
// Keys are counted in blocks of up to so many, and one by one where a limit is below the second
// number.
inline constexpr std::int64_t kKeyBlock = 64;
inline constexpr std::int64_t kKeysCountedExactlyBelow = 100 * kKeyBlock;
// A block is used no longer, since it is counted under the hour in which it was taken.
inline constexpr std::chrono::hours kKeyBlockLife{1};

// --- Queue ---
// A Redis that does not answer for so long is given up, and its connection with it. Longer than a
// disk's usual hiccup: what is given up may be in the queue all the same.
inline constexpr std::chrono::milliseconds kExchangeTimeout{2'000};
inline constexpr std::chrono::milliseconds kReconnectPauseMax{1'000};
inline constexpr std::chrono::milliseconds kReconnectPauseMin{50};
// An idle connection is tried with PING, so that a dead one is found before a client needs it.
inline constexpr std::chrono::milliseconds kIdlePingInterval{5'000};
// Messages of one lane that wait for the queue. Past one of them the answer is 503 at once.
inline constexpr std::size_t kWaitingMessagesMax = 8'192;
inline constexpr std::size_t kWaitingBytesMax = 16 * 1024 * 1024;
// One pipeline. More waits for the next, so that one exchange stays well under its timeout.
inline constexpr std::size_t kPipelineMessagesMax = 1'024;
// A lane whose deliveries lag as far as they can takes in so much: see flush_pace.h.
inline constexpr std::int64_t kPacedMessagesPerSecond = 5'000;
// Registrations take this long when deliveries keep up; so much more means that they do not.
inline constexpr std::chrono::milliseconds kRegistrationAgeUsual{200};
inline constexpr std::chrono::milliseconds kRegistrationAgeSpan{800};

// --- Answers ---
// `Retry-After` of what may be over in a moment.
inline constexpr std::int64_t kRetryAfterSeconds = 1;
inline constexpr std::int64_t kRetryAfterMaxSeconds = 60;

// --- Enrolment port ---
// Whoever comes there has shown nothing yet: few are served at one time.
inline constexpr std::size_t kEnrolmentConnectionsMax = 256;
inline constexpr std::size_t kEnrolmentRequestsMax = 16;

// --- Process ---
// File descriptors that are not for clients: listeners, Redis, gRPC, logs, the operations port.
inline constexpr std::size_t kDescriptorsReserved = 256;

// --- Main server ---
inline constexpr std::size_t kRegistrationBatchMax = 500;
inline constexpr std::size_t kRegistrationBatchBytesMax = 1024 * 1024;
inline constexpr std::size_t kRegistrationsInFlightMax = 16;
// A call costs as much CPU as 20 messages, and nothing waits for it: the edge answers for what is
// not registered yet.
inline constexpr std::chrono::milliseconds kRegistrationGatherTime{50};
inline constexpr std::chrono::milliseconds kRegistrationDeadline{10'000};
inline constexpr std::chrono::milliseconds kRegistrationPauseMin{100};
inline constexpr std::chrono::milliseconds kRegistrationPauseMax{1'000};
// What shutdown waits for outstanding registrations. What is left is registered by its delivery.
inline constexpr std::chrono::milliseconds kRegistrationFlushLimit{3'000};
inline constexpr std::chrono::milliseconds kGetMessageDeadline{2'000};
inline constexpr std::chrono::milliseconds kListMessagesDeadline{5'000};
inline constexpr std::chrono::milliseconds kCertificateDeadline{10'000};
// How long an answer with a new certificate waits until this edge's directory has it, and how often
// it looks.
inline constexpr std::chrono::milliseconds kNewCertificateWait{2'000};
inline constexpr std::chrono::milliseconds kNewCertificateCheck{20};
inline constexpr std::int32_t kListLimitMax = 1'000;
inline constexpr std::int64_t kStatusRetryAfterSeconds = 1;
inline constexpr std::chrono::milliseconds kDataKeyDeadline{5'000};
inline constexpr std::chrono::milliseconds kDataKeyRetryPause{500};
inline constexpr std::chrono::milliseconds kDataKeyCheckInterval{1'000};
inline constexpr std::chrono::milliseconds kWatchRetryPause{500};
// Encryptions under one key with random nonces, whatever the server says (NIST SP 800-38D, 8.3).
inline constexpr std::uint64_t kEncryptionsHardMax = std::uint64_t{1} << 31;

// --- Logs ---
// Access lines per second of one lane, successes and failures apart; the rest is counted.
inline constexpr int kAccessLinesPerSecond = 5;

}  // namespace postern::edge

#pragma once

#include <string>
#include <string_view>

#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"

namespace postern::messages {

// Codes that this domain gives as reasons.
inline constexpr char kMalformedEnvelope[] = "MALFORMED_ENVELOPE";
inline constexpr char kUnreadableEntry[] = "UNREADABLE_ENTRY";
inline constexpr char kAuthenticationFailed[] = "AUTHENTICATION_FAILED";
inline constexpr char kDataKeyUnknown[] = "DATA_KEY_UNKNOWN";
inline constexpr char kNotStorable[] = "NOT_STORABLE";
inline constexpr char kAttemptsExhausted[] = "ATTEMPTS_EXHAUSTED";

// Which life of the message this is, from 1.
std::int64_t EpochOf(const v1::Envelope& envelope);

// Whether every part of the envelope has the form that its field promises, so that the register can
// take it.
bool IsWellFormed(const v1::Envelope& envelope);

// Whether `bytes` are a well-formed envelope of the message `id`.
bool IsEnvelopeOf(std::string_view bytes, const Uuid& id);

// Whether a position names a shard and an entry.
bool IsWellFormed(const v1::QueuePosition& position);

// Visible ASCII, at most `max` characters.
bool IsVisibleAscii(std::string_view text, std::size_t max);

// The id under which an entry is recorded that has none: a UUIDv7 with the time of the entry, the
// rest from its position and content, so that the same entry delivered twice is one dead letter.
Uuid IdOfUnreadable(const v1::QueuePosition& position, std::string_view content);

// When the queue took an entry by its id, in microseconds since the Unix epoch; 0 when the id has
// not that form.
std::int64_t EntryTimeMicros(std::string_view entry_id);

}  // namespace postern::messages

#include "services/messages/envelope_check.h"

#include <algorithm>
#include <charconv>

#include "services/common/base/strings.h"
#include "services/common/crypto/aead.h"
#include "services/common/crypto/hash.h"
#include "services/common/redis/queue_layout.h"
#include "services/messages/limits.h"

namespace postern::messages {
namespace {

constexpr std::size_t kSealedMin = crypto::kAeadNonceSize + 1 + crypto::kAeadTagSize;

bool HasSize(std::string_view bytes, std::size_t min, std::size_t max) {
  return bytes.size() >= min && bytes.size() <= max;
}

bool IsVisible(char c) { return c >= 0x21 && c <= 0x7E; }

}  // namespace

bool IsVisibleAscii(std::string_view text, std::size_t max) {
  return text.size() <= max && std::all_of(text.begin(), text.end(), IsVisible);
}

bool IsWellFormed(const v1::Envelope& envelope) {
  return envelope.id().size() == Uuid::kSize && !envelope.client_id().empty() &&
         IsVisibleAscii(envelope.client_id(), kClientIdMax) && !envelope.domain().empty() &&
         IsVisibleAscii(envelope.domain(), kDomainMax) &&
         envelope.data_key_id().size() == Uuid::kSize &&
         HasSize(envelope.encrypted_body(), kSealedMin, kBodyCiphertextMax) &&
         HasSize(envelope.encrypted_number(), kSealedMin, kNumberCiphertextMax) &&
         IsVisibleAscii(envelope.client_ref(), kClientRefMax) &&
         envelope.metadata_json().size() <= kMetadataMax &&
         IsVisibleAscii(envelope.traceparent(), kTraceparentMax) && envelope.accepted_at_us() > 0 &&
         envelope.epoch() <= kEpochMax;
}

std::int64_t EpochOf(const v1::Envelope& envelope) {
  return std::max<std::int64_t>(1, envelope.epoch());
}

bool IsEnvelopeOf(std::string_view bytes, const Uuid& id) {
  v1::Envelope envelope;
  return envelope.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
         envelope.id() == id.bytes() && IsWellFormed(envelope);
}

bool IsWellFormed(const v1::QueuePosition& position) {
  return position.shard() < redis::kShards && position.entry_id().size() <= kEntryIdMax &&
         EntryTimeMicros(position.entry_id()) > 0;
}

Uuid IdOfUnreadable(const v1::QueuePosition& position, std::string_view content) {
  const std::string digest =
      crypto::Sha256(StrCat(position.shard(), "/", position.entry_id(), "/", content));
  std::string bytes = digest.substr(0, Uuid::kSize);
  const std::int64_t millis = EntryTimeMicros(position.entry_id()) / 1000;
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<char>(millis >> (8 * (5 - i)));
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x70);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  return Uuid::FromBytes(bytes).value();
}

std::int64_t EntryTimeMicros(std::string_view entry_id) {
  constexpr std::int64_t kMillisMax = std::int64_t{1} << 48;
  std::int64_t millis = 0;
  const char* const end = entry_id.data() + entry_id.size();
  const auto [dash, error] = std::from_chars(entry_id.data(), end, millis);
  if (error != std::errc() || dash == end || *dash != '-') return 0;
  std::uint64_t sequence = 0;
  const auto [rest, sequence_error] = std::from_chars(dash + 1, end, sequence);
  if (sequence_error != std::errc() || rest != end) return 0;
  return millis > 0 && millis < kMillisMax ? millis * 1000 : 0;
}

}  // namespace postern::messages

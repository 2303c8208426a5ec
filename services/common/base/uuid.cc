#include "services/common/base/uuid.h"

#include <algorithm>
#include <cstddef>

#include "absl/status/status.h"
#include "services/common/base/encoding.h"
#include "services/common/base/random.h"

namespace postern {
namespace {

constexpr std::uint32_t kCounterMax = 0xFFF;
// A new millisecond's counter starts in the lower half, so that at least 2048 ids fit before it
// runs over.
constexpr std::uint32_t kCounterStartMask = 0x7FF;
constexpr std::size_t kRandomPerId = 10;
constexpr std::size_t kTextSize = 36;

bool IsHyphenPosition(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

void SetVariant(std::uint8_t& byte) { byte = static_cast<std::uint8_t>((byte & 0x3F) | 0x80); }

}  // namespace

absl::StatusOr<Uuid> Uuid::FromBytes(std::string_view bytes) {
  if (bytes.size() != kSize) return absl::InvalidArgumentError("a UUID has 16 bytes");
  Uuid uuid;
  std::copy(bytes.begin(), bytes.end(), uuid.bytes_.begin());
  return uuid;
}

absl::StatusOr<Uuid> Uuid::Parse(std::string_view text) {
  const auto malformed = [] { return absl::InvalidArgumentError("not a UUID of 36 characters"); };
  if (text.size() != kTextSize) return malformed();
  std::string digits;
  for (std::size_t i = 0; i < kTextSize; ++i) {
    if (IsHyphenPosition(i) != (text[i] == '-')) return malformed();
    if (text[i] != '-') digits += text[i];
  }
  const absl::StatusOr<std::string> bytes = HexDecode(digits);
  if (!bytes.ok()) return malformed();
  return FromBytes(*bytes);
}

Uuid Uuid::Random() {
  Uuid uuid;
  FillRandom(uuid.bytes_);
  uuid.bytes_[6] = static_cast<std::uint8_t>((uuid.bytes_[6] & 0x0F) | 0x40);
  SetVariant(uuid.bytes_[8]);
  return uuid;
}

std::string Uuid::ToString() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(kTextSize);
  for (std::size_t i = 0; i < kSize; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[bytes_[i] >> 4];
    text += kDigits[bytes_[i] & 0x0F];
  }
  return text;
}

std::int64_t Uuid::TimestampMillis() const {
  std::int64_t millis = 0;
  for (std::size_t i = 0; i < 6; ++i) millis = (millis << 8) | bytes_[i];
  return millis;
}

Uuid UuidV7Generator::Next(std::int64_t now_us) {
  if (random_used_ + kRandomPerId > random_.size()) {
    FillRandom(random_);
    random_used_ = 0;
  }
  const std::uint8_t* random = random_.data() + random_used_;
  random_used_ += kRandomPerId;

  const std::int64_t millis = now_us / 1000;
  if (millis > last_millis_ || millis + kStepBackMaxMillis < last_millis_) {
    last_millis_ = millis;
    counter_ = ((static_cast<std::uint32_t>(random[8]) << 8) | random[9]) & kCounterStartMask;
  } else if (++counter_ > kCounterMax) {
    ++last_millis_;
    counter_ = 0;
  }

  Uuid uuid;
  for (std::size_t i = 0; i < 6; ++i) {
    uuid.bytes_[i] = static_cast<std::uint8_t>(last_millis_ >> (40 - 8 * i));
  }
  uuid.bytes_[6] = static_cast<std::uint8_t>(0x70 | (counter_ >> 8));
  uuid.bytes_[7] = static_cast<std::uint8_t>(counter_);
  std::copy(random, random + 8, uuid.bytes_.begin() + 8);
  SetVariant(uuid.bytes_[8]);
  return uuid;
}

}  // namespace postern

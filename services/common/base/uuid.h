#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace postern {

// A 128-bit UUID (RFC 9562). A value: copy freely.
class Uuid {
 public:
  static constexpr std::size_t kSize = 16;

  // All zero: stands for "none".
  constexpr Uuid() = default;

  // InvalidArgument unless `bytes` has exactly 16.
  static absl::StatusOr<Uuid> FromBytes(std::string_view bytes);
  // The 36-character text form, either case. InvalidArgument otherwise; the message does not repeat
  // the input.
  static absl::StatusOr<Uuid> Parse(std::string_view text);
  // Version 4, from OpenSSL's generator.
  static Uuid Random();

  std::string ToString() const;
  // The 16 bytes, valid as long as this value.
  std::string_view bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), kSize}; }
  // The first 48 bits: for version 7, milliseconds since the Unix epoch.
  std::int64_t TimestampMillis() const;

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Uuid& uuid) {
    return H::combine(std::move(h), uuid.bytes());
  }

 private:
  friend class UuidV7Generator;
  std::array<std::uint8_t, kSize> bytes_{};
};

// Makes UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds, then random bits, of which the first 12
// are a counter within the millisecond (6.2, method 1), so that one generator's ids rise strictly.
// Not thread-safe: one per thread.
class UuidV7Generator {
 public:
  // A clock that steps back by less than this does not step the ids back.
  static constexpr std::int64_t kStepBackMaxMillis = 5 * 60 * 1000;

  // `now_us`: microseconds since the Unix epoch. Ids follow a clock that was put back further: one
  // that had been hours ahead must not make ids of that time for hours.
  Uuid Next(std::int64_t now_us);

 private:
  std::int64_t last_millis_ = 0;
  std::uint32_t counter_ = 0;
  std::array<std::uint8_t, 512> random_{};
  std::size_t random_used_ = 512;
};

}  // namespace postern

#include "tests/load/preload_message.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_format.h"
#include "services/common/base/strings.h"
#include "services/messages/envelope_check.h"

namespace postern::load {
namespace {

constexpr std::int64_t kDeadEvery = 1000;
constexpr std::int64_t kRetriedEvery = 10'000;
constexpr std::int64_t kLateEvery = 100;
constexpr std::int64_t kCommonRefEvery = 100;
constexpr std::uint32_t kBusyNumberEvery = 20;
constexpr std::int64_t kMessagesPerNumber = 10;
constexpr std::int64_t kNumbersMax = 999'999;
constexpr std::int64_t kRetryUs = 30'000'000;
constexpr std::int64_t kFastestUs = 8'000;
constexpr std::uint32_t kSpreadUs = 60'000;
constexpr std::size_t kBodyBytes = 160;
constexpr std::array<std::string_view, 3> kDeadReasons = {
    messages::kAttemptsExhausted, messages::kAuthenticationFailed, messages::kNotStorable};

}  // namespace

std::string PreloadClient(std::int64_t index) { return absl::StrFormat("client-%02d", index); }

PreloadMessage PreloadMessages::Make(std::int64_t place) {
  PreloadMessage message;
  const double share = static_cast<double>(place) / static_cast<double>(plan_.messages);
  message.accepted_at_us =
      plan_.begin_us +
      static_cast<std::int64_t>(share * static_cast<double>(plan_.end_us - plan_.begin_us));
  message.id = MakeId(place, message.accepted_at_us);
  const std::int64_t client = PickClient();
  message.client_id = PreloadClient(client);
  const std::int64_t numbers =
      std::clamp(plan_.messages / plan_.clients / kMessagesPerNumber, std::int64_t{1}, kNumbersMax);
  const bool busy = random_.Below(kBusyNumberEvery) == 0;
  const std::int64_t number = busy ? 0 : 1 + random_.Below(static_cast<std::uint32_t>(numbers));
  message.number = absl::StrFormat("+1%05d%07d", client, number);
  message.client_ref = place % kCommonRefEvery == 0 ? "newsletter" : StrCat("ref-", place);
  message.body = MakeBody();
  if (!plan_.delivered_only && place % kRetriedEvery == kRetriedEvery - 1) {
    message.state = v1::MESSAGE_STATE_RETRYING;
    message.reason = messages::kDataKeyUnknown;
  } else if (!plan_.delivered_only && place % kDeadEvery == kDeadEvery / 2) {
    message.state = v1::MESSAGE_STATE_DEAD;
    message.reason =
        kDeadReasons[static_cast<std::size_t>(place / kDeadEvery) % kDeadReasons.size()];
  } else {
    message.delivered_at_us = message.accepted_at_us + kFastestUs + random_.Below(kSpreadUs);
    if (place % kLateEvery == 1) {
      message.attempts = 2;
      message.reason = messages::kDataKeyUnknown;
      message.delivered_at_us += kRetryUs;
    }
  }
  return message;
}

// UUIDv7. The 12 bits behind the time count, so that ids of one millisecond rise.
Uuid PreloadMessages::MakeId(std::int64_t place, std::int64_t at_us) {
  std::array<char, Uuid::kSize> bytes{};
  const std::int64_t millis = at_us / 1000;
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<char>(millis >> (8 * (5 - i)));
  bytes[6] = static_cast<char>(0x70 | (place >> 8 & 0x0F));
  bytes[7] = static_cast<char>(place);
  const std::uint64_t random = random_.Next();
  for (std::size_t i = 8; i < Uuid::kSize; ++i) {
    bytes[i] = static_cast<char>(random >> (8 * (i - 8)));
  }
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  return Uuid::FromBytes({bytes.data(), bytes.size()}).value();
}

std::string PreloadMessages::MakeBody() {
  std::string body;
  body.reserve(kBodyBytes);
  while (body.size() < kBodyBytes) {
    std::uint64_t random = random_.Next();
    for (int i = 0; i < 8; ++i, random >>= 8) {
      body += "abcdefghijklmnopqrstuvwxyz ,.012"[random % 32];
    }
  }
  return body;
}

std::int64_t PreloadMessages::PickClient() {
  constexpr double kSteps = 1U << 31;
  const double share = random_.Below(1U << 31) / kSteps;
  const double skewed = share * share * share * static_cast<double>(plan_.clients);
  return std::min(static_cast<std::int64_t>(skewed), plan_.clients - 1);
}

}  // namespace postern::load

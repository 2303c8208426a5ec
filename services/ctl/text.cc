#include "services/ctl/text.h"

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::ctl {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::string LastWords(const std::string& enum_name, std::string_view prefix) {
  return enum_name.size() > prefix.size() ? absl::AsciiStrToLower(enum_name.substr(prefix.size()))
                                          : "unknown";
}

}  // namespace

std::string TimeText(std::int64_t micros) { return micros == 0 ? "-" : FormatRfc3339(micros); }

std::string OffsetText(std::int64_t from_us, std::int64_t to_us) {
  if (from_us == 0 || to_us == 0) return "";
  const std::int64_t offset_us = std::llabs(to_us - from_us);
  const char sign = to_us < from_us ? '-' : '+';
  std::array<char, 64> text{};
  if (offset_us < kMicrosPerSecond) {
    std::snprintf(text.data(), text.size(), "%c%.1f ms", sign,
                  static_cast<double>(offset_us) / 1000);
  } else if (offset_us < 60 * kMicrosPerSecond) {
    std::snprintf(text.data(), text.size(), "%c%.1f s", sign,
                  static_cast<double>(offset_us) / kMicrosPerSecond);
  } else {
    const std::int64_t seconds = offset_us / kMicrosPerSecond;
    std::snprintf(text.data(), text.size(), "%c%" PRId64 "h%02" PRId64 "m%02" PRId64 "s", sign,
                  seconds / 3600, seconds / 60 % 60, seconds % 60);
  }
  return text.data();
}

std::string StateText(v1::MessageState state) {
  return LastWords(v1::MessageState_Name(state), "MESSAGE_STATE_");
}

std::string StateText(v1::ClientState state) {
  return LastWords(v1::ClientState_Name(state), "CLIENT_STATE_");
}

std::string StateText(v1::UserState state) {
  return LastWords(v1::UserState_Name(state), "USER_STATE_");
}

std::string StateText(v1::UserRole role) {
  return LastWords(v1::UserRole_Name(role), "USER_ROLE_");
}

std::string OutcomeText(v1::AuditOutcome outcome) {
  return LastWords(v1::AuditOutcome_Name(outcome), "AUDIT_OUTCOME_");
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

}  // namespace postern::ctl

#pragma once

#include <cstdint>
#include <string>

#include "postern/v1/audit_service.pb.h"
#include "postern/v1/client_service.pb.h"
#include "postern/v1/message_service.pb.h"
#include "postern/v1/user_service.pb.h"

namespace postern::ctl {

// RFC 3339, or `-` for 0: it has not happened.
std::string TimeText(std::int64_t micros);
// `+12.3 ms`, `+4.5 s` or `+1h02m03s` from one time to the other; empty when one is 0.
std::string OffsetText(std::int64_t from_us, std::int64_t to_us);
// `delivered` for MESSAGE_STATE_DELIVERED.
std::string StateText(v1::MessageState state);
std::string StateText(v1::ClientState state);
std::string StateText(v1::UserState state);
std::string StateText(v1::UserRole role);
std::string OutcomeText(v1::AuditOutcome outcome);
// `-` for nothing, so that columns can be cut apart by scripts.
std::string OrDash(const std::string& text);

}  // namespace postern::ctl

#pragma once

#include <ostream>
#include <span>

#include "postern/v1/message_service.pb.h"

namespace postern::ctl {

// One message for people: its fields, then its timeline with offsets from the time it was accepted.
void PrintMessage(std::ostream& out, const v1::Message& message);

// Messages as a table; `full` adds the bodies.
void PrintMessages(std::ostream& out, std::span<const v1::Message* const> messages, bool full,
                   bool with_header);

}  // namespace postern::ctl

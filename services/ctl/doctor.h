#pragma once

#include <string>
#include <vector>

#include "services/ctl/context.h"

namespace postern::ctl {

// What one examination found.
struct Finding {
  enum class State { kPass, kWarn, kFail, kSkip };
  std::string name;
  State state = State::kPass;
  std::string detail;
  std::string fix;  // One sentence; empty when nothing is to be done.
};

// Examines the configuration, the operator's certificate, the main server, the clock, the database
// and every operations port. Goes on after a failure: each finding stands for itself. Takes up to
// --timeout for each.
std::vector<Finding> Examine(Context& context);

}  // namespace postern::ctl

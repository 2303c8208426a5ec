#pragma once

#include <ostream>
#include <string>

#include "absl/status/statusor.h"

namespace postern::ctl {

// A line from standard input, without its end. At a terminal it asks on `err` and does not show
// what is typed. InvalidArgument when there is none.
absl::StatusOr<std::string> ReadPassword(std::ostream& err);

}  // namespace postern::ctl

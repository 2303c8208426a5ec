#pragma once

#include "absl/status/status.h"

namespace postern::ctl {

// How posternctl ends. Scripts depend on the numbers.
enum class ExitCode : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kNotFound = 4,
  kDenied = 5,
  kUnavailable = 6,
  kConflict = 7,
};

ExitCode ExitCodeOf(const absl::Status& status);

// For --help.
inline constexpr char kExitCodesHelp[] =
    "Exit status:\n"
    "  0 success   1 failure   2 wrong usage   4 not found   5 permission denied\n"
    "  6 unavailable or timed out   7 conflict, such as an id that is taken";

}  // namespace postern::ctl

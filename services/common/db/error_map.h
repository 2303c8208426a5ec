#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace postern::db {

// The status that stands for an error number of MySQL or MariaDB: see Connection. `doing` names the
// step (`connect`, `execute`).
absl::Status StatusOfError(std::string_view doing, int number, std::string_view sqlstate);

// Whether the connection is gone after this error.
bool BreaksConnection(int number);

}  // namespace postern::db

#pragma once

#include <string>

#include "absl/status/status.h"
#include "services/common/db/connection.h"

namespace postern::server {

// Waits a while for the database to answer, then requires that exactly the migrations of the folder
// are applied. Unavailable when it does not answer; FailedPrecondition, with the command to run,
// when the schema is not the one that this program needs.
absl::Status CheckDatabase(const db::Settings& settings, const std::string& migrations_folder);

}  // namespace postern::server

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/common/base/uuid.h"

namespace postern::messages {

// A page token is the last id of the page before, in hexadecimal; empty for the first page, which
// is the nil id.
absl::StatusOr<Uuid> IdOfPageToken(const std::string& token);
std::string PageTokenOf(const Uuid& last);

}  // namespace postern::messages

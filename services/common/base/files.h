#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace postern {

// The whole file. NotFound, PermissionDenied or Internal, with the path and the system's reason.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Like ReadFile, for keys and passwords: FailedPrecondition, naming the path and `chmod 600`, when
// group or others may read it. One trailing newline is taken off.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path);

// Writes beside the file, fsyncs, renames over it, fsyncs the folder: readers see the old content
// or the new. Mode 0600.
absl::Status WriteFileAtomically(const std::string& path, std::string_view content);

}  // namespace postern

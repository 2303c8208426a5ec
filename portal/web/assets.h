#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/http/message.h"

namespace postern::portal {

// Style sheets, scripts and pictures, read once from a folder that the build made, and served under
// an address that changes with their content, so that browsers keep them for a year. Read-only
// after Load, shared by all lanes.
class Assets {
 public:
  // Takes `<name>` and, where there is one, `<name>.gz` of each file. NotFound or InvalidArgument
  // name what is missing.
  static absl::StatusOr<std::shared_ptr<const Assets>> Load(const std::string& folder);

  // `/assets/<16 hexadecimal digits>/<name>`; empty when there is no such file.
  std::string Url(std::string_view name) const;
  // The answer for a path below `/assets/`; 404 for what is not there.
  http::Response Answer(const http::Request& request) const;

 private:
  struct File {
    std::string name;
    std::string content_type;
    std::string plain;
    std::string zipped;  // Empty: there is none.
  };
  std::map<std::string, File, std::less<>> by_path_;
  std::map<std::string, std::string, std::less<>> urls_;
};

}  // namespace postern::portal

#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/http/message.h"

namespace postern::http {

// The files of a folder, read once and served from memory. Read-only, so any thread may ask.
class StaticFiles {
 public:
  // Every regular file below `folder` with a known ending (html, css, js,
  // svg, png, yaml, md, txt), at most 16 MiB in all. NotFound when there is no such folder,
  // ResourceExhausted when there is too much in it.
  static absl::StatusOr<StaticFiles> Read(const std::string& folder);

  // Null when there is none; `path`: below the folder, without a slash in front. An empty one and
  // one that ends with a slash stand for `index.html` in there.
  const Response* Find(std::string_view path) const;
  std::size_t size() const { return files_.size(); }

 private:
  std::map<std::string, Response, std::less<>> files_;
};

}  // namespace postern::http

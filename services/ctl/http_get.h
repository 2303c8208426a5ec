#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"

namespace postern::ctl {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// GET of `path` from `base_url`, `http://host:port`, for operations ports: plain HTTP, one request,
// blocking. `timeout` limits the connection, each read and each write. InvalidArgument for another
// kind of URL, Unavailable with the reason when nobody answers.
absl::StatusOr<HttpAnswer> HttpGet(const std::string& base_url, const std::string& path,
                                   std::chrono::milliseconds timeout);

}  // namespace postern::ctl

#pragma once

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/base/file_mark.h"
#include "services/common/tls/settings.h"

namespace postern::tls {

// A TLS context that follows its files: a renewed certificate or another trust bundle is used by
// the next connection, without a restart. Files that are unusable at the moment change nothing: the
// last good context goes on. Thread-safe.
class ContextSource {
 public:
  // As ServerContext and ClientContext, whose errors they give for files that are unusable from the
  // start.
  static absl::StatusOr<std::shared_ptr<ContextSource>> Server(Files files);
  static absl::StatusOr<std::shared_ptr<ContextSource>> Client(Files files);
  // As BrowserContext.
  static absl::StatusOr<std::shared_ptr<ContextSource>> Browser(Files files);

  // The context of the files as they are now. Looks at the files' times: cheap enough for every
  // connection that this process opens, not for every one that it accepts.
  std::shared_ptr<boost::asio::ssl::context> Current();

  // The context that Current or Refresh made last: looks at no file.
  std::shared_ptr<boost::asio::ssl::context> Last();

  // What Current does, and whether it has led to another context. The error of files that have
  // changed and are unusable, once for each change.
  absl::StatusOr<bool> Refresh();

 private:
  using Marks = std::array<FileMark, 3>;

  using Make = absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> (*)(const Files& files);

  ContextSource(Make make, Files files) : make_(make), files_(std::move(files)) {}
  static absl::StatusOr<std::shared_ptr<ContextSource>> Open(Make make, Files files);
  Marks Look() const;

  const Make make_;
  const Files files_;
  std::mutex mutex_;
  Marks marks_{};
  std::shared_ptr<boost::asio::ssl::context> current_;
};

}  // namespace postern::tls

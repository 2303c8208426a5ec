#include "services/common/tls/context_source.h"

#include <utility>

#include "services/common/tls/context.h"

namespace postern::tls {
namespace {}  // namespace

absl::StatusOr<std::shared_ptr<ContextSource>> ContextSource::Server(Files files) {
  return Open(&ServerContext, std::move(files));
}

absl::StatusOr<std::shared_ptr<ContextSource>> ContextSource::Client(Files files) {
  return Open(&ClientContext, std::move(files));
}

absl::StatusOr<std::shared_ptr<ContextSource>> ContextSource::Browser(Files files) {
  return Open(&BrowserContext, std::move(files));
}

absl::StatusOr<std::shared_ptr<ContextSource>> ContextSource::Open(Make make, Files files) {
  std::shared_ptr<ContextSource> source(new ContextSource(make, std::move(files)));
  if (auto refreshed = source->Refresh(); !refreshed.ok()) return refreshed.status();
  return source;
}

std::shared_ptr<boost::asio::ssl::context> ContextSource::Current() {
  Refresh().IgnoreError();
  return Last();
}

std::shared_ptr<boost::asio::ssl::context> ContextSource::Last() {
  const std::lock_guard lock(mutex_);
  return current_;
}

absl::StatusOr<bool> ContextSource::Refresh() {
  const std::lock_guard lock(mutex_);
  // Before the files are read: a change in between is seen the next time.
  const Marks marks = Look();
  if (current_ != nullptr && marks == marks_) return false;
  marks_ = marks;
  auto made = make_(files_);
  if (!made.ok()) return made.status();
  current_ = *std::move(made);
  return true;
}

ContextSource::Marks ContextSource::Look() const {
  return {MarkOf(files_.certificate), MarkOf(files_.key), MarkOf(files_.trust)};
}

}  // namespace postern::tls

#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <concepts>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"

namespace postern::edge {

// What is told once how a message fared; any handler of Asio. It stands for Asio's
// any_completion_handler, whose move assignment calls itself for ever in Boost 1.81.
class Completion {
 public:
  Completion() = default;
  template <typename Handler>
  requires(!std::same_as<std::remove_cvref_t<Handler>, Completion>) explicit Completion(
      Handler&& handler)
      : handler_(std::forward<Handler>(handler)) {}
  Completion(Completion&&) noexcept = default;
  Completion& operator=(Completion&& other) noexcept {
    Any(std::move(other.handler_)).swap(handler_);
    return *this;
  }

  void operator()(absl::Status status) && { std::move(handler_)(std::move(status)); }

 private:
  using Any = boost::asio::any_completion_handler<void(absl::Status)>;

  Any handler_;
};

}  // namespace postern::edge

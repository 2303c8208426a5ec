#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace postern::worker {

// Wakes the one coroutine that waits on it. A wake without a waiter is kept for the next wait, so
// that none is missed. All calls on one executor.
class Wakeup {
 public:
  explicit Wakeup(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  void Wake() {
    woken_ = true;
    if (waiting_) timer_.cancel();
  }
  boost::asio::awaitable<void> Wait() { return WaitUntil(Clock::time_point::max()); }
  // Ends at `when` without a wake.
  boost::asio::awaitable<void> WaitUntil(std::chrono::steady_clock::time_point when) {
    if (!woken_) {
      waiting_ = true;
      timer_.expires_at(when);
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      waiting_ = false;
    }
    woken_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  boost::asio::steady_timer timer_;
  bool waiting_ = false;
  bool woken_ = false;
};

}  // namespace postern::worker

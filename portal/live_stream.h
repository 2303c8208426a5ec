#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "portal/pages/backend.h"
#include "portal/web/session.h"
#include "services/common/http/message.h"

namespace postern::portal {

// How many streams are open on a lane, in all and of each session. Not thread-safe.
class LiveStreams {
 public:
  // One more of a session, until the result goes; null when there are too many.
  std::shared_ptr<void> Open(const std::string& session_id);
  std::size_t size() const { return counts_->open; }

 private:
  struct Counts {
    std::size_t open = 0;
    std::map<std::string, std::size_t> by_session;
  };
  // A stream that is cut at the end may outlive this.
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

// Server-sent events for a page that shows the present: asks the main server for the overview every
// kLiveInterval with the user's token, and says `changed` when the figures are others than before.
// It says no more than that: the page then fetches what it shows, so that what somebody may see is
// decided in one place. Ends when the token does; browsers connect again by themselves.
class LiveStream final : public http::BodyStream {
 public:
  LiveStream(boost::asio::io_context& io, const Backend& backend, const Session& session,
             std::shared_ptr<void> place, std::string last_event_id);

  boost::asio::awaitable<std::optional<std::string>> Next() override;
  void Cancel() override;

 private:
  // The event to send now; empty when there is none. False when the stream is over.
  boost::asio::awaitable<bool> Look(std::string& event);

  const Backend& backend_;
  const std::string authorization_;
  const std::int64_t ends_at_us_;
  const std::shared_ptr<void> place_;
  boost::asio::steady_timer timer_;
  std::string last_id_;
  bool begun_ = false;
  bool cancelled_ = false;
};

}  // namespace postern::portal

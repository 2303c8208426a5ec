#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "portal/pages/backend.h"
#include "portal/web/session.h"
#include "services/common/http/message.h"

namespace postern::portal {

// Server-sent events for a page that shows the present: asks the main server for the overview every
// kLiveInterval with the user's token, and says `changed` when the figures are others than before.
// It says no more than that: the page then fetches what it shows, so that what somebody may see is
// decided in one place. Ends when the token does; browsers connect again by themselves. Says
// `replaced` at its end when a newer one of its session has taken its place.
class LiveStream final : public http::BodyStream {
 public:
  LiveStream(boost::asio::io_context& io, const Backend& backend, const Session& session,
             std::string last_event_id);

  boost::asio::awaitable<std::optional<std::string>> Next() override;
  void Cancel() override;
  // Ends it in favour of a newer one, so that its page does not connect again and push that out.
  void Replace();

  const std::string& session_id() const { return session_id_; }
  bool replaced() const { return replaced_; }

 private:
  bool over() const;
  // The event to send now; empty when there is none. False when the stream is over.
  boost::asio::awaitable<bool> Look(std::string& event);

  const Backend& backend_;
  const std::string session_id_;
  const std::string authorization_;
  const std::int64_t ends_at_us_;
  boost::asio::steady_timer timer_;
  std::string last_id_;
  bool begun_ = false;
  bool cancelled_ = false;
  bool replaced_ = false;
  bool said_replaced_ = false;
};

// The streams that are open on a lane. Not thread-safe.
class LiveStreams {
 public:
  // Counts a new one for as long as it lives. A session that has kLivePerSession gives up its
  // oldest one: a page that was left is noticed only at the next write to it. False when the lane
  // is full.
  bool Add(const std::shared_ptr<LiveStream>& stream);

 private:
  std::vector<std::weak_ptr<LiveStream>> open_;  // The oldest first.
};

}  // namespace postern::portal

#include "portal/live_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "portal/web/limits.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/crypto/hash.h"
#include "services/common/rpc/async_unary.h"

namespace postern::portal {
namespace {

namespace asio = boost::asio;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kIdDigits = 16;

// What the figures come to, so that two looks can be compared.
std::string Digest(v1::GetOverviewResponse figures) {
  figures.clear_measured_at_us();
  if (figures.has_queue()) figures.mutable_queue()->clear_measured_at_us();
  return HexEncode(crypto::Sha256(figures.SerializeAsString())).substr(0, kIdDigits);
}

}  // namespace

LiveStream::LiveStream(asio::io_context& io, const Backend& backend, const Session& session,
                       std::string last_event_id)
    : backend_(backend),
      session_id_(session.id),
      authorization_(StrCat("Bearer ", session.access_token)),
      ends_at_us_(session.access_expires_at_us),
      timer_(io),
      last_id_(std::move(last_event_id)) {}

asio::awaitable<bool> LiveStream::Look(std::string& event) {
  const v1::GetOverviewRequest ask;
  rpc::CallOptions::Metadata metadata;
  metadata.emplace_back("authorization", authorization_);
  rpc::CallOptions options(Deadline::After(kCallDeadline), std::move(metadata));
  const auto now = co_await rpc::Call(
      backend_.statistics->async(),
      &v1::StatisticsService::StubInterface::async_interface::GetOverview, ask, std::move(options));
  // A session that is over ends the stream; a server that is away does not.
  if (absl::IsUnauthenticated(now.status()) || absl::IsPermissionDenied(now.status())) {
    co_return false;
  }
  if (!now.ok()) co_return true;
  const std::string id = Digest(*now);
  if (id == last_id_) co_return true;
  last_id_ = id;
  event = StrCat("id: ", id, "\nevent: changed\ndata: figures\n\n");
  co_return true;
}

asio::awaitable<std::optional<std::string>> LiveStream::Next() {
  if (!std::exchange(begun_, true)) co_return "retry: 3000\n: Postern\n\n";
  const auto silent_until = std::chrono::steady_clock::now() + kLiveHeartbeat;
  while (!over()) {
    std::string event;
    const bool goes_on = co_await Look(event);
    if (!goes_on || over()) break;
    if (!event.empty()) co_return event;
    if (std::chrono::steady_clock::now() >= silent_until) co_return ": still here\n\n";
    timer_.expires_after(kLiveInterval);
    co_await timer_.async_wait(kTuple);
  }
  if (replaced_ && !cancelled_ && !std::exchange(said_replaced_, true)) {
    co_return "event: replaced\ndata: newer\n\n";
  }
  co_return std::nullopt;
}

void LiveStream::Cancel() {
  cancelled_ = true;
  timer_.cancel();
}

void LiveStream::Replace() {
  replaced_ = true;
  timer_.cancel();
}

bool LiveStream::over() const { return cancelled_ || replaced_ || NowMicros() >= ends_at_us_; }

bool LiveStreams::Add(const std::shared_ptr<LiveStream>& stream) {
  std::erase_if(open_, [](const std::weak_ptr<LiveStream>& open) { return open.expired(); });
  if (open_.size() >= kLivePerLane) return false;
  std::shared_ptr<LiveStream> oldest;
  std::size_t of_session = 0;
  for (const std::weak_ptr<LiveStream>& weak : open_) {
    const std::shared_ptr<LiveStream> open = weak.lock();
    if (open == nullptr || open->replaced() || open->session_id() != stream->session_id()) continue;
    if (of_session++ == 0) oldest = open;
  }
  if (of_session >= kLivePerSession) oldest->Replace();
  open_.push_back(stream);
  return true;
}

}  // namespace postern::portal

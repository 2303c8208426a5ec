#include "services/common/http/lane_state.h"

#include <openssl/ssl.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "services/common/http/session.h"
#include "services/common/log/log.h"

namespace postern::http {
namespace {

namespace asio = boost::asio;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
// After an accept that failed, or while the server is full.
constexpr std::chrono::milliseconds kAcceptPause{100};

// A coroutine of a lane ended; with an exception it is a fault of ours, and costs only this
// connection.
void OnCoroutineEnd(std::exception_ptr error) {
  static log::RateLimit limit;
  if (error == nullptr || !limit.Allow()) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    log::Error("http_connection_failed", "error", exception.what());
  } catch (...) {
    log::Error("http_connection_failed", "error", "unknown exception");
  }
}

asio::awaitable<void> RunSession(std::shared_ptr<LaneState> lane, Socket socket) {
  Session session(std::move(lane), std::move(socket));
  co_await session.Run();
}

}  // namespace

void OpenCount::AddConnection() {
  std::lock_guard lock(mutex_);
  ++connections_;
}

void OpenCount::RemoveConnection() {
  std::lock_guard lock(mutex_);
  if (--connections_ == 0) none_.notify_all();
}

void OpenCount::AddAcceptor() {
  std::lock_guard lock(mutex_);
  ++acceptors_;
}

void OpenCount::RemoveAcceptor() {
  std::lock_guard lock(mutex_);
  if (--acceptors_ == 0) none_.notify_all();
}

std::size_t OpenCount::connections() const {
  std::lock_guard lock(mutex_);
  return connections_;
}

bool OpenCount::AwaitNone(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return none_.wait_for(lock, limit, [this] { return connections_ == 0 && acceptors_ == 0; });
}

bool Shared::WantsCertificates(asio::ssl::context& context) {
  return (SSL_CTX_get_verify_mode(context.native_handle()) & SSL_VERIFY_PEER) != 0;
}

LaneState::LaneState(std::shared_ptr<Shared> server, Lane lane)
    : shared_(std::move(server)),
      lane_(lane),
      large_bodies_(shared_->limits.large),
      pause_(*lane.io),
      sweep_(*lane.io) {}

void LaneState::Start(Acceptor acceptor) {
  acceptor_ = std::make_unique<Acceptor>(std::move(acceptor));
  shared_->open.AddAcceptor();
  asio::co_spawn(*lane_.io, AcceptLoop(), OnCoroutineEnd);
  asio::co_spawn(*lane_.io, SweepLoop(), OnCoroutineEnd);
}

asio::awaitable<void> LaneState::AcceptLoop() {
  const auto self = shared_from_this();
  while (acceptor_->is_open()) {
    auto [ec, socket] = co_await acceptor_->async_accept(kTuple);
    if (ec == asio::error::operation_aborted) break;
    if (ec) {
      shared_->metrics.accept_pauses_error.Increment();
      static log::RateLimit limit;
      if (limit.Allow()) log::Warn("http_accept_failed", "error", ec.message());
      // Out of file descriptors, mostly: who has not said who he is gives his back.
      CutStranger();
      co_await Pause(kAcceptPause);
      continue;
    }
    if (strangers_.size() >= shared_->limits.strangers) CutStranger();
    while (Full() && !CutStranger() && acceptor_->is_open()) {
      shared_->metrics.accept_pauses_limit.Increment();
      co_await Pause(kAcceptPause);
    }
    asio::co_spawn(*lane_.io, RunSession(self, std::move(socket)), OnCoroutineEnd);
  }
  shared_->open.RemoveAcceptor();
}

bool LaneState::Full() const { return shared_->open.connections() >= shared_->limits.connections; }

bool LaneState::CutStranger() {
  for (Session* session : strangers_) {
    if (!session->CutIfWaiting()) continue;
    shared_->metrics.cut_strangers.Increment();
    return true;
  }
  return false;
}

template <typename Action>
void LaneState::ForEachSession(Action action) {
  for (Session* session : strangers_) action(*session);
  for (Session* session : admitted_) action(*session);
}

asio::awaitable<void> LaneState::Pause(std::chrono::milliseconds time) {
  pause_.expires_after(time);
  co_await pause_.async_wait(kTuple);
}

asio::awaitable<void> LaneState::SweepLoop() {
  const auto self = shared_from_this();
  while (!draining_ || !Empty()) {
    sweep_.expires_after(kSweepInterval);
    co_await sweep_.async_wait(kTuple);
    coarse_now_ = Clock::now();
    ForEachSession([this](Session& session) { session.Sweep(coarse_now_); });
  }
}

std::list<Session*>::iterator LaneState::Register(Session* session) {
  shared_->open.AddConnection();
  shared_->metrics.connections.Increment();
  return strangers_.insert(strangers_.end(), session);
}

void LaneState::Admit(std::list<Session*>::iterator place) {
  admitted_.splice(admitted_.end(), strangers_, place);
}

void LaneState::Unregister(Session* session, std::list<Session*>::iterator place) {
  (session->admitted() ? admitted_ : strangers_).erase(place);
  shared_->metrics.connections.Decrement();
  shared_->open.RemoveConnection();
  WakeSweeperWhenDone();
}

void LaneState::WakeSweeperWhenDone() {
  if (draining_ && Empty()) sweep_.cancel();
}

void LaneState::Drain() {
  if (std::exchange(draining_, true)) return;
  boost::system::error_code ignored;
  // Released and closed, not closed by Asio: that leaves it to the kernel to forget the descriptor,
  // and the kernel does not while another process has the same socket.
  if (acceptor_ != nullptr && acceptor_->is_open()) ::close(acceptor_->release(ignored));
  pause_.cancel();
  ForEachSession([](Session& session) { session.Drain(); });
  WakeSweeperWhenDone();
}

void LaneState::PostDrain() {
  asio::post(*lane_.io, [self = shared_from_this()] { self->Drain(); });
}

void LaneState::PostCut() {
  asio::post(*lane_.io, [self = shared_from_this()] {
    self->ForEachSession([](Session& session) { session.Cut(); });
  });
}

void LaneState::PostCutPeer(const std::string& sha256_hex) {
  asio::post(*lane_.io, [self = shared_from_this(), sha256_hex] {
    self->ForEachSession([&](Session& session) {
      if (session.CutIfShows(sha256_hex)) self->shared_->metrics.cut_peers.Increment();
    });
  });
}

}  // namespace postern::http

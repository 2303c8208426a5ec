#include "tests/load/connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <string_view>

namespace postern::load {

namespace asio = boost::asio;

Connection::Connection(asio::io_context& io, asio::ssl::context& tls, const Target& target,
                       ConnectionOwner& owner, std::size_t place)
    : io_(io),
      tls_(tls),
      target_(target),
      owner_(owner),
      place_(place),
      timer_(io),
      buffer_(target.answer_bytes) {}

void Connection::Open() {
  state_ = State::kConnecting;
  busy_since_ = std::chrono::steady_clock::now();
  stream_ = std::make_unique<Stream>(io_, tls_);
  stream_->set_verify_mode(asio::ssl::verify_peer);
  stream_->set_verify_callback(asio::ssl::host_name_verification(target_.host));
  SSL_set_tlsext_host_name(stream_->native_handle(), target_.host.c_str());
  stream_->next_layer().async_connect(target_.endpoint,
                                      [this](const Error& error) { Connected(error); });
}

void Connection::Connected(const Error& error) {
  if (error || state_ != State::kConnecting) return Failed();
  Error ignored;
  stream_->next_layer().set_option(asio::ip::tcp::no_delay(true), ignored);
  stream_->async_handshake(Stream::client, [this](const Error& handshake_error) {
    if (handshake_error || state_ != State::kConnecting) return Failed();
    Ready();
  });
}

void Connection::Ready() {
  state_ = State::kReady;
  owner_.OnReady(*this);
}

void Connection::Send() {
  state_ = State::kExchanging;
  busy_since_ = std::chrono::steady_clock::now();
  written_ = 0;
  received_ = 0;
  Write();
}

void Connection::Write() {
  stream_->async_write_some(asio::buffer(request_.data() + written_, request_.size() - written_),
                            [this](const Error& error, std::size_t size) {
                              if (error || state_ != State::kExchanging) return Failed();
                              written_ += size;
                              written_ < request_.size() ? Write() : Read();
                            });
}

void Connection::Read() {
  stream_->async_read_some(asio::buffer(buffer_.data() + received_, buffer_.size() - received_),
                           [this](const Error& error, std::size_t size) { Received(error, size); });
}

void Connection::Received(const Error& error, std::size_t size) {
  if (error || state_ != State::kExchanging) return Failed();
  received_ += size;
  Answer answer;
  std::size_t consumed = 0;
  switch (ParseAnswer(std::string_view(buffer_.data(), received_), answer, consumed)) {
    case ParseResult::kIncomplete:
      if (received_ == buffer_.size()) return Failed();
      return Read();
    case ParseResult::kMalformed:
      return Failed();
    case ParseResult::kComplete:
      // Bytes after the answer mean that the peer lost count.
      if (consumed != received_) return Failed();
      return Answered(answer);
  }
}

void Connection::Answered(const Answer& answer) {
  state_ = State::kReady;
  reconnect_pause_ = kReconnectPauseMin;
  owner_.OnAnswer(*this, answer);
  if (state_ == State::kShut) return;
  const bool refused = answer.status == 503 || answer.status == 429;
  if (answer.close) Close();
  if (refused && target_.patient) {
    const std::chrono::milliseconds asked = answer.retry_after;
    return Pause(std::clamp<std::chrono::milliseconds>(asked, kRefusalPauseMin, kRefusalPauseMax),
                 answer.close);
  }
  answer.close ? Open() : Ready();
}

void Connection::Failed() {
  const bool unanswered = state_ == State::kExchanging;
  const bool shut = state_ == State::kShut;
  const bool not_connected = state_ == State::kConnecting;
  Close();
  if (unanswered) owner_.OnUnanswered(*this);
  if (not_connected) owner_.OnNotConnected(*this);
  if (shut || state_ == State::kShut) {
    state_ = State::kShut;
    return;
  }
  Pause(reconnect_pause_, true);
  reconnect_pause_ = std::min<std::chrono::milliseconds>(2 * reconnect_pause_, kReconnectPauseMax);
}

void Connection::Pause(std::chrono::milliseconds pause, bool reopen) {
  state_ = State::kPausing;
  timer_.expires_after(pause);
  timer_.async_wait([this, reopen](const Error& error) {
    if (error || state_ != State::kPausing) return;
    reopen ? Open() : Ready();
  });
}

void Connection::AbortIfOlderThan(std::chrono::steady_clock::time_point limit) {
  const bool busy = state_ == State::kExchanging || state_ == State::kConnecting;
  if (busy && busy_since_ < limit) Close();
}

void Connection::Close() {
  if (!stream_) return;
  Error ignored;
  stream_->next_layer().close(ignored);
}

void Connection::Shut() {
  state_ = State::kShut;
  timer_.cancel();
  Close();
}

}  // namespace postern::load

#include "services/common/http/session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <string>
#include <typeinfo>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"

namespace postern::http {
namespace {

namespace asio = boost::asio;

constexpr auto kAwait = asio::use_awaitable;
constexpr std::size_t kInputKeep = 4 * 1024;
constexpr std::size_t kDiscardMax = 1024 * 1024;
constexpr std::chrono::milliseconds kQuietAfter{1000};
constexpr std::chrono::milliseconds kCloseLimit{2000};
constexpr std::chrono::milliseconds kNoLimit = std::chrono::hours(24 * 365);
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr Refusal kTimedOut{408, "timeout", "The request did not arrive in time."};
constexpr Refusal kTooManyConnections{429, "connections_of_peer",
                                      "This client has too many connections open."};

const char* RejectionReason(const SSL* ssl) {
  switch (SSL_get_verify_result(ssl)) {
    case X509_V_OK:
      return ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
                 ? "missing"
                 : nullptr;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "not_yet_valid";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "unknown_ca";
    default:
      return "invalid";
  }
}

void LogRejected(std::string_view reason, std::string_view who) {
  static log::RateLimit limit;
  std::int64_t suppressed = 0;
  if (!limit.Allow(&suppressed)) return;
  log::Warn("peer_rejected", "reason", reason, "peer", who, "suppressed", suppressed);
}

// Only the type: the text of an exception may quote what it choked on.
void LogHandlerFailure(const char* type) {
  static log::RateLimit limit;
  if (limit.Allow()) log::Error("http_handler_failed", "exception", type);
}

}  // namespace

Session::Session(std::shared_ptr<LaneState> lane, Socket socket)
    : lane_(std::move(lane)),
      transport_(std::move(socket), lane_->shared().tls(), lane_->scratch()),
      in_(lane_->shared().limits.header_bytes + Scratch::kReceiveBytes + Scratch::kRecordBytes),
      place_(lane_->Register(this)) {}

Session::~Session() { lane_->Unregister(this, place_); }

void Session::Enter(Phase phase, std::chrono::milliseconds limit) {
  phase_ = phase;
  quiet_ = false;
  deadline_ = lane_->DeadlineIn(limit);
}

void Session::Sweep(LaneState::Clock::time_point now) {
  const auto quiet_from = deadline_ - lane_->shared().limits.idle_timeout + kQuietAfter;
  if (phase_ == Phase::kIdle && !quiet_ && now >= quiet_from) {
    quiet_ = true;
    transport_.ReleaseBuffers();
  }
  if (now < deadline_) return;
  timed_out_ = true;
  deadline_ = now + kCloseLimit;
  transport_.CancelWaits();
}

void Session::Drain() {
  if (stream_ != nullptr) stream_->Cancel();
  if (phase_ != Phase::kIdle) return;
  deadline_ = std::min(deadline_, lane_->DeadlineIn(IdleLimit()));
  if (IdleLimit().count() > 0) return;
  timed_out_ = true;
  transport_.CancelWaits();
}

std::chrono::milliseconds Session::IdleLimit() const {
  const Limits& limits = lane_->shared().limits;
  return lane_->draining() ? limits.linger : limits.idle_timeout;
}

void Session::Cut() {
  cut_ = true;
  if (stream_ != nullptr) stream_->Cancel();
  transport_.Close();
}

bool Session::CutIfWaiting() {
  if (cut_ || phase_ == Phase::kHandling || phase_ == Phase::kWriting ||
      phase_ == Phase::kStreaming) {
    return false;
  }
  Cut();
  return true;
}

bool Session::CutIfShows(std::string_view sha256_hex) {
  if (cut_ || peer_ == nullptr || peer_->sha256_hex != sha256_hex) return false;
  Cut();
  return true;
}

asio::awaitable<void> Session::Run() {
  const Limits& limits = lane_->shared().limits;
  if (transport_.ssl() != nullptr) {
    const bool admitted = co_await Handshake();
    if (!admitted) co_return;
  }
  for (;;) {
    Enter(Phase::kIdle, IdleLimit());
    RequestParser parser(limits.header_bytes, limits.body_bytes,
                         {limits.large.path, limits.large.body_bytes});
    const Read read = co_await ReadRequest(parser);
    if (read == Read::kGone) break;
    if (read == Read::kRefused) {
      Refusal refusal = timed_out_ ? kTimedOut : parser.refusal();
      timed_out_ = false;
      co_await Refuse(refusal, parser.head());
      co_return;
    }
    if (in_.size() == 0 && in_.capacity() > kInputKeep) in_.shrink_to_fit();
    Enter(Phase::kHandling, kNoLimit);
    Response response = co_await Handle(std::move(parser.request()));
    AnswerOptions options;
    options.head = parser.head();
    const std::shared_ptr<BodyStream> stream = options.head ? nullptr : std::move(response.stream);
    options.open_end = stream != nullptr;
    options.close = response.close || options.open_end || !parser.keep_alive() || lane_->draining();
    const bool sent = co_await Answer(std::move(response), options);
    large_body_.reset();
    if (!sent || cut_) co_return;
    if (stream != nullptr) co_await Stream(stream);
    if (options.close) break;
    // Who sends many requests at once waits for the others between them.
    if (in_.size() > 0) co_await asio::post(asio::bind_executor(lane_->executor(), kAwait));
  }
  transport_.ShutdownSend();
}

asio::awaitable<bool> Session::Handshake() {
  ServerMetrics& metrics = lane_->shared().metrics;
  Enter(Phase::kHandshake, lane_->shared().limits.handshake_timeout);
  const auto begin = LaneState::Clock::now();
  const bool done = co_await transport_.Handshake(in_);
  const std::chrono::duration<double> took = LaneState::Clock::now() - begin;
  if (!done) {
    metrics.CountHandshake("", took.count());
    if (const char* reason = RejectionReason(transport_.ssl()); reason != nullptr) {
      metrics.CountCertificateRejected(reason);
      LogRejected(reason, "");
    }
    co_await CloseAfterFailure();
    co_return false;
  }
  metrics.CountHandshake(SSL_get_version(transport_.ssl()), took.count());
  if (!lane_->shared().wants_certificates) {
    remote_address_ = transport_.RemoteAddress();
    co_return true;
  }
  co_return co_await Admit();
}

asio::awaitable<bool> Session::Admit() {
  if (!ReadPeer()) {
    co_await CloseAfterFailure();
    co_return false;
  }
  // Registered first and checked then: a change of what the check looks at finds it either way.
  registration_ = lane_->shared().peers.Add(peer_);
  if (!PeerMaySpeak()) {
    co_await CloseAfterFailure();
    co_return false;
  }
  if (registration_ == nullptr) {
    co_await Refuse(kTooManyConnections, /*head=*/false);
    co_return false;
  }
  admitted_ = true;
  lane_->Admit(place_);
  co_return true;
}

bool Session::ReadPeer() {
  absl::StatusOr<tls::PeerCertificate> peer =
      tls::ReadPeerCertificate(SSL_get0_peer_certificate(transport_.ssl()));
  if (!peer.ok()) {
    lane_->shared().metrics.CountCertificateRejected("identity");
    LogRejected(ToStd(peer.status().message()), "");
    return false;
  }
  peer_ = std::make_shared<const tls::PeerCertificate>(*std::move(peer));
  return true;
}

bool Session::PeerMaySpeak() {
  if (lane_->shared().peer_check == nullptr) return true;
  const char* const name = SSL_get_servername(transport_.ssl(), TLSEXT_NAMETYPE_host_name);
  const absl::Status verdict = lane_->shared().peer_check(*peer_, name == nullptr ? "" : name);
  if (verdict.ok()) return true;
  lane_->shared().metrics.CountCertificateRejected("not_admitted");
  LogRejected(ToStd(verdict.message()), peer_->id.ToString());
  return false;
}

asio::awaitable<Session::Read> Session::ReadRequest(RequestParser& parser) {
  const Limits& limits = lane_->shared().limits;
  for (;;) {
    if (in_.size() > 0) {
      if (phase_ == Phase::kIdle) Enter(Phase::kHeader, limits.header_timeout);
      const RequestParser::State state = parser.Feed(in_);
      if (state == RequestParser::State::kComplete) co_return Read::kRequest;
      if (state == RequestParser::State::kRefused) co_return Read::kRefused;
      if (phase_ == Phase::kHeader && parser.header_done()) {
        if (!AdmitBody(parser)) co_return Read::kRefused;
        Enter(Phase::kBody, limits.body_timeout);
        // Nobody waits for the word to go on once the body has begun to arrive.
        if (parser.TakeExpectContinue() && parser.request().body.empty()) {
          const bool sent = co_await SendText(kContinue);
          if (!sent) co_return Read::kGone;
        }
      }
    }
    const bool more = co_await Receive();
    if (more) continue;
    co_return timed_out_ && !cut_ && phase_ != Phase::kIdle ? Read::kRefused : Read::kGone;
  }
}

bool Session::AdmitBody(RequestParser& parser) {
  if (!parser.large_body()) return true;
  const std::string peer = peer_ == nullptr ? std::string() : peer_->id.ToString();
  const Refusal* const refusal = lane_->large_bodies().Take(peer, large_body_);
  if (refusal == nullptr) return true;
  parser.RefuseBy(*refusal);
  return false;
}

asio::awaitable<bool> Session::Receive() {
  for (;;) {
    co_await transport_.WaitReadable();
    // A request that came at the last moment of an idle connection is still answered.
    const bool last_look = timed_out_ && phase_ == Phase::kIdle;
    if (cut_ || (timed_out_ && !last_look)) co_return false;
    switch (transport_.ReadSome(in_)) {
      case Transport::Read::kData:
        timed_out_ = false;
        co_return true;
      case Transport::Read::kClosed:
        co_return false;
      case Transport::Read::kWouldBlock:
        if (last_look) co_return false;
        break;
    }
  }
}

asio::awaitable<Response> Session::Handle(Request request) {
  const PeerRegistry::Request in_hand(lane_->shared().peers, registration_.get());
  if (const Refusal* refusal = in_hand.refusal(); refusal != nullptr) {
    lane_->shared().metrics.CountRefused(refusal->reason);
    co_return lane_->handler().Refuse(refusal->status, refusal->detail);
  }
  co_return co_await CallHandler(std::move(request));
}

asio::awaitable<Response> Session::CallHandler(Request request) {
  request.peer = peer_;
  request.remote_address = remote_address_;
  request.received_at_us = NowMicros();
  const char* failure = nullptr;
  try {
    co_return co_await lane_->handler().Handle(std::move(request));
  } catch (const std::exception& exception) {
    failure = typeid(exception).name();
  } catch (...) {
    failure = "unknown";
  }
  LogHandlerFailure(failure);
  lane_->shared().metrics.CountRefused("handler_failed");
  Response response = lane_->handler().Refuse(500, "The server failed to handle the request.");
  response.close = true;
  co_return response;
}

asio::awaitable<bool> Session::Answer(Response response, AnswerOptions options) {
  Enter(Phase::kWriting, lane_->shared().limits.write_timeout);
  std::string& text = lane_->scratch().answer;
  const std::string& date = lane_->date().At(NowMicros());
  if (!FormatAnswer(response, options, date, text)) {
    LogHandlerFailure("line break in a response field");
    Response plain;
    plain.status = 500;
    (void)FormatAnswer(plain, options, date, text);
  }
  if (transport_.Send(text)) co_return true;
  co_return co_await transport_.Flush();
}

asio::awaitable<bool> Session::SendText(std::string_view text) {
  if (transport_.Send(text)) co_return true;
  co_return co_await transport_.Flush();
}

asio::awaitable<void> Session::Stream(std::shared_ptr<BodyStream> stream) {
  stream_ = stream;
  if (lane_->draining()) stream->Cancel();
  while (!cut_) {
    Enter(Phase::kStreaming, kNoLimit);
    std::optional<std::string> piece = co_await stream->Next();
    if (cut_ || !piece.has_value()) break;
    Enter(Phase::kWriting, lane_->shared().limits.write_timeout);
    const bool sent = co_await SendText(*piece);
    if (!sent) break;
  }
  stream_ = nullptr;
}

asio::awaitable<void> Session::Refuse(Refusal refusal, bool head) {
  lane_->shared().metrics.CountRefused(refusal.reason);
  Response response = lane_->handler().Refuse(refusal.status, refusal.detail);
  AnswerOptions options;
  options.close = true;
  options.head = head;
  const bool sent = co_await Answer(std::move(response), options);
  if (sent && !cut_) co_await CloseAfterFailure();
}

asio::awaitable<void> Session::CloseAfterFailure() {
  Enter(Phase::kClosing, kCloseLimit);
  transport_.ShutdownSend();
  co_await transport_.Discard(kDiscardMax);
}

}  // namespace postern::http

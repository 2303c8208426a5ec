#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <string_view>

#include "services/common/http/lane_state.h"
#include "services/common/http/large_bodies.h"
#include "services/common/http/peer_registry.h"
#include "services/common/http/request_parser.h"
#include "services/common/http/transport.h"

namespace postern::http {

// One connection: handshake, identity, then requests one after the other. It is in its lane's list
// as long as it lives. All calls on the lane's thread; Run suspends, the others come in while it
// does.
class Session {
 public:
  Session(std::shared_ptr<LaneState> lane, Socket socket);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  boost::asio::awaitable<void> Run();

  // Ends what has passed its deadline, and takes the buffers from who is quiet.
  void Sweep(LaneState::Clock::time_point now);
  // Gives an idle connection until Limits::linger for a next request, which is its last one.
  void Drain();
  // Closes the connection, whatever it does.
  void Cut();
  // Cuts the connection if it waits for its peer. False when it does not, or was cut before.
  bool CutIfWaiting();
  // Cuts the connection if its peer has shown this certificate.
  bool CutIfShows(std::string_view sha256_hex);
  // Whether the peer has shown a certificate, and may speak.
  bool admitted() const { return admitted_; }

 private:
  enum class Phase { kHandshake, kIdle, kHeader, kBody, kHandling, kWriting, kStreaming, kClosing };
  enum class Read { kRequest, kRefused, kGone };

  void Enter(Phase phase, std::chrono::milliseconds limit);
  // How long it may be without a request.
  std::chrono::milliseconds IdleLimit() const;
  boost::asio::awaitable<bool> Handshake();
  bool ReadPeer();
  bool PeerMaySpeak();
  // Decides about a peer that has shown its certificate; refuses him.
  boost::asio::awaitable<bool> Admit();
  boost::asio::awaitable<Read> ReadRequest(RequestParser& parser);
  // False when the request has a large body and there is no room for another.
  bool AdmitBody(RequestParser& parser);
  // Waits for bytes and takes them. False when nothing more will be read: the peer went, or the
  // time is up.
  boost::asio::awaitable<bool> Receive();
  boost::asio::awaitable<Response> Handle(Request request);
  boost::asio::awaitable<Response> CallHandler(Request request);
  // False when the connection is broken.
  boost::asio::awaitable<bool> Answer(Response response, AnswerOptions options);
  // Sends what a stream has until it or the connection ends.
  boost::asio::awaitable<void> Stream(std::shared_ptr<BodyStream> stream);
  boost::asio::awaitable<void> Refuse(Refusal refusal, bool head);
  boost::asio::awaitable<void> CloseAfterFailure();
  boost::asio::awaitable<bool> SendText(std::string_view text);

  const std::shared_ptr<LaneState> lane_;
  Transport transport_;
  boost::beast::flat_buffer in_;
  std::shared_ptr<const tls::PeerCertificate> peer_;
  std::unique_ptr<const PeerRegistry::Connection> registration_;
  std::unique_ptr<LargeBodies::Permit> large_body_;  // Of the request in hand.
  std::string remote_address_;                       // Where nobody shows a certificate.
  std::shared_ptr<BodyStream> stream_;               // Being sent.
  bool admitted_ = false;
  Phase phase_ = Phase::kHandshake;
  LaneState::Clock::time_point deadline_;
  bool quiet_ = false;  // Idle so long that the buffers were given back.
  bool timed_out_ = false;
  bool cut_ = false;
  std::list<Session*>::iterator place_;
};

}  // namespace postern::http

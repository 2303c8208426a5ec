#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/load/limits.h"
#include "tests/load/response_parser.h"

namespace postern::load {

class Connection;

// Who owns connections and gives them work. Called on the io_context's thread.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // It can send: connected just now, or done with the answer before and with the pause after it.
  virtual void OnReady(Connection& connection) = 0;
  virtual void OnAnswer(Connection& connection, const Answer& answer) = 0;
  // The connection broke while an answer was awaited: nobody knows what became of the request.
  virtual void OnUnanswered(Connection& connection) = 0;
  // It could not connect; it will try again.
  virtual void OnNotConnected(Connection& connection) = 0;
};

// Where all connections go.
struct Target {
  boost::asio::ip::tcp::endpoint endpoint;
  std::string host;     // Verified in the server's certificate.
  bool patient = true;  // Waits after a refusal as long as it asks for.
  std::size_t answer_bytes = kAnswerBytesMax;
};

// One keep-alive connection of one client, the owner's number `place`: one request at a time.
// Connects by itself, again after each failure. At most one operation is outstanding, so that a
// closed stream is replaced only once its handlers are done. One thread.
class Connection {
 public:
  Connection(boost::asio::io_context& io, boost::asio::ssl::context& tls, const Target& target,
             ConnectionOwner& owner, std::size_t place);

  void Open();
  // Sends `request()`. Only when ready.
  void Send();
  // Ends a request that waits for too long, or a connection attempt: its handler reports the
  // failure.
  void AbortIfOlderThan(std::chrono::steady_clock::time_point limit);
  // Closes, for good.
  void Shut();

  std::string& request() { return request_; }
  // As given to the constructor.
  std::size_t place() const { return place_; }
  bool answer_awaited() const { return state_ == State::kExchanging; }

 private:
  using Stream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;
  using Error = boost::system::error_code;
  enum class State { kClosed, kConnecting, kReady, kExchanging, kPausing, kShut };

  void Connected(const Error& error);
  void Ready();
  void Write();
  void Read();
  void Received(const Error& error, std::size_t size);
  void Answered(const Answer& answer);
  void Failed();
  void Pause(std::chrono::milliseconds pause, bool reopen);
  void Close();

  boost::asio::io_context& io_;
  boost::asio::ssl::context& tls_;
  const Target& target_;
  ConnectionOwner& owner_;
  const std::size_t place_;
  State state_ = State::kClosed;
  std::unique_ptr<Stream> stream_;
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds reconnect_pause_{kReconnectPauseMin};
  std::chrono::steady_clock::time_point busy_since_;
  std::string request_;
  std::size_t written_ = 0;
  std::vector<char> buffer_;
  std::size_t received_ = 0;
};

}  // namespace postern::load

#pragma once

#include <openssl/bio.h>
#include <openssl/types.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace postern::http {

using Socket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

// Buffers that all connections of one lane share, one after the other: nobody suspends while they
// hold something of theirs. So an idle connection owns no buffer at all.
struct Scratch {
  static constexpr std::size_t kReceiveBytes = 32 * 1024;
  static constexpr std::size_t kRecordBytes = 16 * 1024;
  std::array<char, kReceiveBytes> received;  // From the socket.
  std::array<char, kRecordBytes> opened;     // Decrypted.
  std::string sealed;                        // Encrypted, on its way to the socket.
  std::string answer;                        // In plain, for the session's use.
};

// One connection's bytes, over TLS or plain. OpenSSL works on memory here and the socket is called
// directly, without asio::ssl::stream: that stream costs an extra copy each way, two more reads per
// request and 50 KiB per idle connection (see docs/adr/0007-tls-transport.md). All calls on the
// lane's thread.
class Transport {
 public:
  enum class Read { kData, kWouldBlock, kClosed };

  // `tls` may be null: plain. `scratch` outlives the transport.
  Transport(Socket socket, const std::shared_ptr<boost::asio::ssl::context>& tls, Scratch& scratch);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Runs the server's side of the TLS handshake. What the client has sent behind it is put into
  // `in`. False when it failed or the wait was cancelled; the alert has been sent then.
  boost::asio::awaitable<bool> Handshake(boost::beast::flat_buffer& in);
  // Appends what has arrived to `in`, at most Scratch::kReceiveBytes and a record more. Never
  // waits.
  Read ReadSome(boost::beast::flat_buffer& in);
  // Until there is something to read, or CancelWaits.
  boost::asio::awaitable<void> WaitReadable();
  // Sends as much as the socket takes now. False when a rest is left for Flush, or the connection
  // is broken. Never waits.
  [[nodiscard]] bool Send(std::string_view data);
  // Waits until the rest is gone. False when the connection is broken or the wait was cancelled.
  boost::asio::awaitable<bool> Flush();

  // Says goodbye (TLS close_notify and FIN) as far as the socket takes it now. Reading stays
  // possible.
  void ShutdownSend();
  // Reads and throws away at most `limit` bytes until the peer closes or CancelWaits: closing a
  // socket with unread bytes in it would reset the connection and might take our last answer with
  // it.
  boost::asio::awaitable<void> Discard(std::size_t limit);
  // Gives OpenSSL's record buffers back, 34 KiB; they come again with the next bytes.
  void ReleaseBuffers();
  // Ends the wait that a coroutine of this connection is in.
  void CancelWaits();
  void Close();

  // The peer's address without port; empty when it has gone.
  std::string RemoteAddress() const;
  // Null on plain connections.
  SSL* ssl() const { return ssl_.get(); }

 private:
  struct SslDeleter {
    void operator()(SSL* ssl) const;
  };

  static int BioRead(BIO* bio, char* out, int size);
  static int BioWrite(BIO* bio, const char* data, int size);
  static long BioControl(BIO* bio, int command, long number, void* pointer);
  static const BIO_METHOD* BioMethod();

  // What the socket has, into scratch. kData: `feed_` holds it.
  Read Receive();
  // Decrypts all of `feed_` into `in`.
  Read Open(boost::beast::flat_buffer& in);
  // Sends `data`; what the socket does not take is kept in `unsent_`.
  bool Push(std::string_view data);
  bool PushSealed();
  // How much of `data` the socket took.
  std::size_t SendNow(std::string_view data);

  Socket socket_;
  Scratch& scratch_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
  std::string_view
      feed_;  // Part of scratch_.received that is not consumed yet; empty whenever we suspend.
  std::string unsent_;  // Accepted for sending, refused by the socket so far.
  bool input_ended_ = false;
  bool broken_ = false;
};

}  // namespace postern::http

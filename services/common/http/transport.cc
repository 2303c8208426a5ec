#include "services/common/http/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

namespace postern::http {
namespace {

namespace asio = boost::asio;

// Waits end as a plain call on the lane's own executor: by way of the coroutine's type-erased one
// it would be an allocation and several indirect calls each.
auto Token(Socket& socket) {
  return asio::bind_executor(socket.get_executor(), asio::as_tuple(asio::use_awaitable));
}

// What may wait for a peer that sends while it does not read.
constexpr std::size_t kUnsentMax = 64 * 1024;
// Above it, a shared buffer is given back after use.
constexpr std::size_t kScratchKeep = 256 * 1024;

void Append(boost::beast::flat_buffer& in, const char* data, std::size_t size) {
  const auto room = in.prepare(size);
  std::memcpy(room.data(), data, size);
  in.commit(size);
}

// Without session tickets we have nothing to send after the client's last handshake message, so its
// acknowledgement would be delayed, and a client that has left Nagle's algorithm on would hold its
// first request back by 40 ms.
void AcknowledgeNow(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

}  // namespace

void Transport::SslDeleter::operator()(SSL* ssl) const { SSL_free(ssl); }

Transport::Transport(Socket socket, const std::shared_ptr<boost::asio::ssl::context>& tls,
                     Scratch& scratch)
    : socket_(std::move(socket)), scratch_(scratch) {
  if (tls == nullptr) return;
  // Shares the context, which may be replaced meanwhile.
  ssl_.reset(SSL_new(tls->native_handle()));
  BIO* bio = BIO_new(BioMethod());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
  // Allocating the record buffers anew for every request costs 5 % of its instructions;
  // ReleaseBuffers is for when it is quiet.
  SSL_clear_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS);
}

Transport::~Transport() = default;

int Transport::BioRead(BIO* bio, char* out, int size) {
  auto* self = static_cast<Transport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (self->feed_.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t taken = std::min(self->feed_.size(), static_cast<std::size_t>(size));
  std::memcpy(out, self->feed_.data(), taken);
  self->feed_.remove_prefix(taken);
  return static_cast<int>(taken);
}

int Transport::BioWrite(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  static_cast<Transport*>(BIO_get_data(bio))
      ->scratch_.sealed.append(data, static_cast<std::size_t>(size));
  return size;
}

long Transport::BioControl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* Transport::BioMethod() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postern");
    BIO_meth_set_read(made, BioRead);
    BIO_meth_set_write(made, BioWrite);
    BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

asio::awaitable<bool> Transport::Handshake(boost::beast::flat_buffer& in) {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    const int error = SSL_get_error(ssl_.get(), result);
    if (result == 1 && Open(in) == Read::kClosed) broken_ = true;
    const bool failed = broken_ || (result != 1 && error != SSL_ERROR_WANT_READ);
    feed_ = {};
    bool flushed = PushSealed();
    if (!flushed) flushed = co_await Flush();
    if (failed || !flushed) co_return false;
    if (result == 1) {
      AcknowledgeNow(socket_.native_handle());
      co_return true;
    }
    Read read = Receive();
    if (read == Read::kWouldBlock) {
      const auto [ec] = co_await socket_.async_wait(Socket::wait_read, Token(socket_));
      read = ec ? Read::kClosed : Receive();
    }
    if (read == Read::kClosed) co_return false;
  }
}

Transport::Read Transport::Receive() {
  const ssize_t size = ::recv(socket_.native_handle(), scratch_.received.data(),
                              scratch_.received.size(), MSG_DONTWAIT);
  if (size > 0) {
    feed_ = {scratch_.received.data(), static_cast<std::size_t>(size)};
    return Read::kData;
  }
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return Read::kWouldBlock;
  return Read::kClosed;
}

Transport::Read Transport::ReadSome(boost::beast::flat_buffer& in) {
  if (broken_ || input_ended_) return Read::kClosed;
  const Read received = Receive();
  if (received != Read::kData) return received;
  if (ssl_ != nullptr) return Open(in);
  Append(in, feed_.data(), feed_.size());
  feed_ = {};
  return Read::kData;
}

Transport::Read Transport::Open(boost::beast::flat_buffer& in) {
  Read outcome = Read::kWouldBlock;
  while (!feed_.empty() || SSL_pending(ssl_.get()) > 0) {
    ERR_clear_error();
    const int size =
        SSL_read(ssl_.get(), scratch_.opened.data(), static_cast<int>(scratch_.opened.size()));
    if (size > 0) {
      Append(in, scratch_.opened.data(), static_cast<std::size_t>(size));
      outcome = Read::kData;
      continue;
    }
    // Not SSL_get_error, which needs an empty error queue, and emptying it costs more than asking.
    if (!SSL_want_read(ssl_.get())) {
      ERR_clear_error();
      // A peer that has said goodbye may still wait for our answer.
      input_ended_ = (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
      broken_ = !input_ended_;
      if (outcome != Read::kData) outcome = Read::kClosed;
      break;
    }
  }
  feed_ = {};
  // A key update or an alert of ours may have come out; a rest goes with the next answer.
  if (!scratch_.sealed.empty()) PushSealed();
  // A peer that asks for more and more of them and reads none.
  if (unsent_.size() > kUnsentMax) broken_ = true;
  return outcome;
}

asio::awaitable<void> Transport::WaitReadable() {
  co_await socket_.async_wait(Socket::wait_read, Token(socket_));
}

bool Transport::Send(std::string_view data) {
  if (broken_) return false;
  if (ssl_ == nullptr) return Push(data);
  while (!data.empty()) {
    const int size = SSL_write(ssl_.get(), data.data(),
                               static_cast<int>(std::min<std::size_t>(data.size(), 1 << 30)));
    if (size <= 0) {
      ERR_clear_error();
      broken_ = true;
      return false;
    }
    data.remove_prefix(static_cast<std::size_t>(size));
  }
  return PushSealed();
}

bool Transport::PushSealed() {
  const bool done = Push(scratch_.sealed);
  scratch_.sealed.clear();
  if (scratch_.sealed.capacity() > kScratchKeep) scratch_.sealed.shrink_to_fit();
  return done;
}

bool Transport::Push(std::string_view data) {
  if (!unsent_.empty()) {
    unsent_.append(data);
    return false;
  }
  data.remove_prefix(SendNow(data));
  if (!broken_) unsent_.assign(data);
  return !broken_ && data.empty();
}

std::size_t Transport::SendNow(std::string_view data) {
  std::size_t total = 0;
  while (total < data.size()) {
    const ssize_t sent = ::send(socket_.native_handle(), data.data() + total, data.size() - total,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      total += static_cast<std::size_t>(sent);
    } else if (errno != EINTR) {
      broken_ = errno != EAGAIN;
      break;
    }
  }
  return total;
}

asio::awaitable<bool> Transport::Flush() {
  std::size_t done = 0;
  while (!broken_ && done < unsent_.size()) {
    const auto [ec] = co_await socket_.async_wait(Socket::wait_write, Token(socket_));
    if (ec) {
      broken_ = true;
    } else {
      done += SendNow(std::string_view(unsent_).substr(done));
    }
  }
  unsent_ = std::string();
  co_return !broken_;
}

void Transport::ShutdownSend() {
  if (ssl_ != nullptr && !broken_ && SSL_is_init_finished(ssl_.get()) != 0) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    PushSealed();
  }
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

asio::awaitable<void> Transport::Discard(std::size_t limit) {
  std::size_t discarded = 0;
  while (discarded < limit) {
    const ssize_t size = ::recv(socket_.native_handle(), scratch_.received.data(),
                                scratch_.received.size(), MSG_DONTWAIT);
    if (size > 0) {
      discarded += static_cast<std::size_t>(size);
      continue;
    }
    if (size == 0 || errno != EAGAIN) co_return;
    const auto [ec] = co_await socket_.async_wait(Socket::wait_read, Token(socket_));
    if (ec) co_return;
  }
}

void Transport::ReleaseBuffers() {
  if (ssl_ != nullptr) SSL_free_buffers(ssl_.get());
}

std::string Transport::RemoteAddress() const {
  boost::system::error_code ec;
  const asio::ip::tcp::endpoint remote = socket_.remote_endpoint(ec);
  if (ec) return {};
  return remote.address().to_string();
}

void Transport::CancelWaits() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Transport::Close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace postern::http

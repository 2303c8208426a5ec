#include "services/common/redis/connection.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <string_view>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/redis/command.h"
#include "services/common/redis/reply_arena.h"

namespace postern::redis {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBufferBytes = 64 * 1024;
// hiredis has no bound of its own. The largest honest reply is a full read of the queue: 2048
// entries of 7 KiB.
constexpr std::size_t kMaxReplyBytes = 64 * 1024 * 1024;

struct FreeReader {
  void operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }
};

}  // namespace

// Shared with the coroutines and the timer that run on it, so that the Connection may go at any
// moment.
struct Connection::Impl : std::enable_shared_from_this<Connection::Impl> {
  explicit Impl(asio::any_io_executor executor_in)
      : executor(std::move(executor_in)), timer(executor), reader(ReplyArena::MakeReader()) {
    // hiredis would free its buffer after each read that was larger than 16 KiB.
    reader->maxbuf = 4 * kReadBufferBytes;
  }

  asio::awaitable<absl::Status> Connect(std::shared_ptr<Impl> self, const Settings& settings);
  asio::awaitable<absl::StatusOr<std::vector<Reply>>> Run(std::shared_ptr<Impl> self,
                                                          std::string wire, std::size_t count);
  asio::awaitable<absl::StatusOr<std::vector<Reply>>> Exchange(std::shared_ptr<Impl> self,
                                                               std::string wire, std::size_t count,
                                                               std::chrono::milliseconds timeout);
  asio::awaitable<absl::Status> OpenStream(const Settings& settings);
  asio::awaitable<absl::Status> LogIn(std::shared_ptr<Impl> self, const Settings& settings);
  // Takes complete replies off the reader, until `out` has `count`.
  absl::Status TakeReplies(const std::shared_ptr<void>& memory, std::vector<Reply>& out,
                           std::size_t count);

  void StartTimer(std::chrono::milliseconds timeout);
  void Arm(Clock::time_point when);
  absl::Status Fault(std::string_view what, const error_code& error);
  void Close();

  asio::any_io_executor executor;
  std::unique_ptr<asio::ssl::stream<tcp::socket>> stream;
  asio::steady_timer timer;
  std::unique_ptr<redisReader, FreeReader> reader;
  std::array<char, kReadBufferBytes> buffer;
  std::size_t fed_bytes = 0;  // Since the last complete reply.
  bool usable = false;
  bool closed = false;
  bool timed_out = false;
  // The timer stays armed between exchanges and looks at `deadline` when it fires: a wait per
  // timeout, not one per exchange.
  bool busy = false;
  bool armed = false;
  Clock::time_point armed_for;
  Clock::time_point deadline;
};

void Connection::Impl::Close() {
  closed = true;
  usable = false;
  timer.cancel();
  if (stream == nullptr) return;
  error_code ignored;
  stream->lowest_layer().close(ignored);
}

void Connection::Impl::Arm(Clock::time_point when) {
  armed = true;
  armed_for = when;
  timer.expires_at(when);
  timer.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    // Aborted: it was armed anew, or the connection is closed.
    if (self == nullptr || error) return;
    self->armed = false;
    if (!self->busy) return;
    if (Clock::now() < self->deadline) return self->Arm(self->deadline);
    self->timed_out = true;
    self->Close();
  });
}

void Connection::Impl::StartTimer(std::chrono::milliseconds timeout) {
  busy = true;
  deadline = Clock::now() + timeout;
  if (!armed || deadline < armed_for) Arm(deadline);
}

absl::Status Connection::Impl::Fault(std::string_view what, const error_code& error) {
  const bool was_closed = closed && !timed_out;
  Close();
  if (timed_out) return absl::DeadlineExceededError(StrCat(what, ": timed out"));
  if (was_closed) return absl::UnavailableError(StrCat(what, ": connection closed"));
  return absl::UnavailableError(StrCat(what, ": ", error.message()));
}

asio::awaitable<absl::Status> Connection::Impl::OpenStream(const Settings& settings) {
  const auto context = settings.tls->Current();
  stream = std::make_unique<asio::ssl::stream<tcp::socket>>(executor, *context);
  stream->set_verify_mode(asio::ssl::verify_peer);
  stream->set_verify_callback(asio::ssl::host_name_verification(settings.host));
  error_code error;
  const auto address = asio::ip::make_address(settings.host, error);
  if (!error) {
    auto [connect_error] = co_await stream->lowest_layer().async_connect(
        tcp::endpoint(address, settings.port), kTuple);
    if (connect_error) co_return Fault("connect", connect_error);
  } else {
    SSL_set_tlsext_host_name(stream->native_handle(), settings.host.c_str());
    tcp::resolver resolver(executor);
    auto [resolve_error, endpoints] =
        co_await resolver.async_resolve(settings.host, std::to_string(settings.port), kTuple);
    if (resolve_error || closed) co_return Fault("resolve", resolve_error);
    auto [connect_error, endpoint] =
        co_await asio::async_connect(stream->lowest_layer(), endpoints, kTuple);
    if (connect_error) co_return Fault("connect", connect_error);
  }
  stream->lowest_layer().set_option(tcp::no_delay(true), error);
  auto [handshake_error] = co_await stream->async_handshake(asio::ssl::stream_base::client, kTuple);
  if (handshake_error) co_return Fault("TLS handshake", handshake_error);
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> Connection::Impl::LogIn(std::shared_ptr<Impl> self,
                                                      const Settings& settings) {
  std::string wire;
  std::size_t count = 0;
  if (!settings.password.empty()) {
    if (settings.user.empty()) {
      AppendCommand(wire, "AUTH", settings.password);
    } else {
      AppendCommand(wire, "AUTH", settings.user, settings.password);
    }
    ++count;
  }
  if (!settings.client_name.empty()) {
    AppendCommand(wire, "CLIENT", "SETNAME", settings.client_name);
    ++count;
  }
  if (count == 0) co_return absl::OkStatus();
  auto replies = co_await Run(std::move(self), std::move(wire), count);
  if (!replies.ok()) co_return replies.status();
  for (const Reply& reply : *replies) {
    if (reply.IsError()) {
      Close();
      co_return reply.ToStatus();
    }
  }
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> Connection::Impl::Connect(std::shared_ptr<Impl> self,
                                                        const Settings& settings) {
  if (closed || stream != nullptr) {
    co_return absl::FailedPreconditionError("a connection connects once");
  }
  if (settings.tls == nullptr) co_return absl::InvalidArgumentError("no TLS context");
  StartTimer(settings.connect_timeout);
  absl::Status status = co_await OpenStream(settings);
  if (status.ok()) {
    usable = true;
    status = co_await LogIn(self, settings);
  }
  busy = false;
  co_return status;
}

absl::Status Connection::Impl::TakeReplies(const std::shared_ptr<void>& memory,
                                           std::vector<Reply>& out, std::size_t count) {
  while (out.size() < count) {
    void* raw = nullptr;
    if (redisReaderGetReply(reader.get(), &raw) != REDIS_OK) {
      Close();
      return absl::DataLossError(StrCat("reply: ", reader->errstr));
    }
    if (raw == nullptr) return absl::OkStatus();
    out.emplace_back(memory, static_cast<redisReply*>(raw));
    fed_bytes = 0;
  }
  return absl::OkStatus();
}

// Redis 7.0 drops a TLS client ("bad length") when it adds replies while an earlier write of its
// own is blocked. So a pipeline may be long (its replies must then be short), or bring more than
// some 100 KiB of replies (its commands must then fit one read of Redis, 16 KiB), but not both.
asio::awaitable<absl::StatusOr<std::vector<Reply>>> Connection::Impl::Run(
    [[maybe_unused]] std::shared_ptr<Impl> self, std::string wire, std::size_t count) {
  if (!usable) co_return absl::UnavailableError("connection is broken");
  usable = false;  // Until every reply is here.
  auto [write_error, written] = co_await asio::async_write(*stream, asio::buffer(wire), kTuple);
  if (write_error || closed) co_return Fault("write", write_error);
  std::vector<Reply> replies;
  replies.reserve(count);
  const auto arena = std::make_shared<ReplyArena>();
  reader->privdata = arena.get();
  while (replies.size() < count) {
    auto [read_error, size] = co_await stream->async_read_some(asio::buffer(buffer), kTuple);
    if (read_error || closed) co_return Fault("read", read_error);
    fed_bytes += size;
    if (fed_bytes > kMaxReplyBytes ||
        redisReaderFeed(reader.get(), buffer.data(), size) != REDIS_OK) {
      Close();
      co_return absl::DataLossError("reply: too large");
    }
    absl::Status status = TakeReplies(arena, replies, count);
    if (!status.ok()) co_return status;
  }
  if (reader->pos < reader->len) {
    Close();
    co_return absl::DataLossError("reply: more replies than commands");
  }
  usable = true;
  co_return replies;
}

asio::awaitable<absl::StatusOr<std::vector<Reply>>> Connection::Impl::Exchange(
    std::shared_ptr<Impl> self, std::string wire, std::size_t count,
    std::chrono::milliseconds timeout) {
  StartTimer(timeout);
  auto replies = co_await Run(self, std::move(wire), count);
  busy = false;
  co_return replies;
}

Connection::Connection(asio::any_io_executor executor)
    : impl_(std::make_shared<Impl>(std::move(executor))) {}

Connection::~Connection() { impl_->Close(); }

asio::awaitable<absl::Status> Connection::Connect(const Settings& settings) {
  return impl_->Connect(impl_, settings);
}

asio::awaitable<absl::StatusOr<std::vector<Reply>>> Connection::Exchange(
    std::string wire, std::size_t replies, std::chrono::milliseconds timeout) {
  return impl_->Exchange(impl_, std::move(wire), replies, timeout);
}

bool Connection::usable() const { return impl_->usable; }

void Connection::Close() { impl_->Close(); }

}  // namespace postern::redis

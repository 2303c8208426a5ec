#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/common/base/strings.h"
#include "services/common/http/server.h"
#include "services/common/tls/context.h"
#include "tests/support/eventually.h"
#include "tests/support/test_certificates.h"
#include "tests/support/tls_client.h"

namespace postern::http {

namespace asio = boost::asio;

// More than the sockets' buffers of both sides take.
inline constexpr std::size_t kBigAnswer = 16'000'000;

// Two pieces, then nothing until it is cancelled.
class TestStream final : public BodyStream {
 public:
  TestStream(asio::io_context& io, std::atomic<int>& cancelled)
      : gate_(io, asio::steady_timer::time_point::max()), cancelled_(cancelled) {}
  asio::awaitable<std::optional<std::string>> Next() override {
    if (++pieces_ <= 2) co_return StrCat("piece ", pieces_, "\n");
    if (!over_) co_await gate_.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return std::nullopt;
  }
  void Cancel() override {
    over_ = true;
    ++cancelled_;
    gate_.cancel();
  }

 private:
  asio::steady_timer gate_;
  std::atomic<int>& cancelled_;
  int pieces_ = 0;
  bool over_ = false;
};

// Echoes; `/wait` holds its answer back until Release, `/throw` fails, `/stream` goes on.
class TestHandler final : public Handler {
 public:
  explicit TestHandler(asio::io_context& io)
      : io_(io), gate_(io, asio::steady_timer::time_point::max()) {}

  asio::awaitable<Response> Handle(Request request) override {
    ++handled;
    if (request.path == "/order") handled_at_order = handled.load();
    if (request.path == "/throw") throw std::runtime_error("must not be seen by anybody");
    if (request.path == "/wait") {
      ++waiting;
      if (!released_) co_await gate_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    Response response;
    if (request.path == "/stream") {
      response.content_type = "text/event-stream";
      response.stream = std::make_shared<TestStream>(io_, cancelled);
    } else if (request.path == "/who") {
      response.body = StrCat("[", request.remote_address, "]");
    } else if (request.path == "/big") {
      response.body.assign(kBigAnswer, 'x');
    } else if (request.path == "/forge") {
      response.fields.emplace_back("X-A", "b\r\nX-Forged: 1");
    } else {
      response.body = StrCat(request.method, " ", request.path, "?", request.query, " ",
                             request.peer == nullptr ? "nobody" : request.peer->id.ToString(), " ",
                             request.body);
    }
    co_return response;
  }

  Response Refuse(int status, std::string_view detail) override {
    Response response;
    response.status = status;
    response.body = std::string(detail);
    return response;
  }

  // Any thread.
  void Release() {
    asio::post(io_, [this] {
      released_ = true;
      gate_.cancel();
    });
  }

  std::atomic<int> handled{0};
  std::atomic<int> waiting{0};
  std::atomic<int> cancelled{0};         // Streams.
  std::atomic<int> handled_at_order{0};  // How many came before `/order`.

 private:
  asio::io_context& io_;
  asio::steady_timer gate_;
  bool released_ = false;
};

// A running server with `lanes` threads.
class RunningServer {
 public:
  // `listener`: a socket to take over; without one it listens on a free port.
  RunningServer(const tls::Files* files, Limits limits, std::size_t lanes, PeerCheck check,
                int listener = -1, bool for_browsers = false) {
    std::vector<Lane> all;
    for (std::size_t i = 0; i < lanes; ++i) {
      ios_.push_back(std::make_unique<asio::io_context>(1));
      handlers_.push_back(std::make_unique<TestHandler>(*ios_.back()));
      Lane lane;
      lane.io = ios_.back().get();
      lane.handler = handlers_.back().get();
      all.push_back(lane);
    }
    std::shared_ptr<asio::ssl::context> context;
    if (files != nullptr) {
      context = (for_browsers ? tls::BrowserContext(*files) : tls::ServerContext(*files)).value();
    }
    server_ = std::make_unique<Server>("test", all, context, limits, std::move(check), metrics);
    const absl::Status listening =
        listener >= 0 ? server_->Adopt(listener) : server_->Listen("127.0.0.1", 0);
    if (!listening.ok()) throw std::runtime_error(listening.ToString());
    for (auto& io : ios_) threads_.emplace_back([&io] { io->run(); });
  }

  ~RunningServer() {
    for (auto& handler : handlers_) handler->Release();
    server_->AwaitIdle(std::chrono::milliseconds(100));
    for (auto& io : ios_) io->stop();
    for (auto& thread : threads_) thread.join();
  }

  Server& server() { return *server_; }
  TestHandler& handler(std::size_t lane = 0) { return *handlers_[lane]; }
  std::uint16_t port() const { return server_->port(); }
  // The value of the one series of which `series` is the beginning of the line.
  std::string Metric(const std::string& series) {
    const std::string page = metrics.Serialize();
    const std::size_t at = page.find("\n" + series + " ");
    if (at == std::string::npos) return "none";
    const std::size_t begin = at + series.size() + 2;
    return page.substr(begin, page.find('\n', begin) - begin);
  }

  metrics::Registry metrics{"test"};

 private:
  std::vector<std::unique_ptr<asio::io_context>> ios_;
  std::vector<std::unique_ptr<TestHandler>> handlers_;
  std::unique_ptr<Server> server_;
  std::vector<std::thread> threads_;
};

class ServerTest : public ::testing::Test {
 protected:
  static constexpr const char* kGet = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

  void StartServer(std::size_t lanes = 1) {
    running_ = std::make_unique<RunningServer>(&server_files_, limits_, lanes, check_);
  }

  test::TlsClient::Options Options(const tls::Files& files) {
    test::TlsClient::Options options;
    options.port = running_->port();
    options.files = files;
    return options;
  }
  std::unique_ptr<test::TlsClient> Connect() {
    return std::make_unique<test::TlsClient>(Options(client_files_));
  }

  static std::string Post(const std::string& path, const std::string& body) {
    return StrCat("POST ", path, " HTTP/1.1\r\nHost: localhost\r\nContent-Length: ", body.size(),
                  "\r\n\r\n", body);
  }

  std::string Rejections(const std::string& reason) {
    return running_->Metric(
        StrCat("postern_client_cert_rejections_total{listener=\"test\",reason=\"", reason, "\"}"));
  }

  test::TestCertificates authority_;
  tls::Files server_files_ = authority_.Leaf("edge", "edge-1");
  tls::Files client_files_ = authority_.Leaf("client", "billing");
  Limits limits_;
  PeerCheck check_;
  std::unique_ptr<RunningServer> running_;
};

}  // namespace postern::http

#include "services/common/rpc/async_unary.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "tests/support/eventually.h"

namespace postern::rpc {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using AsyncStub = v1::MessageService::StubInterface::async_interface;

// Answers the id `echo` at once, `missing` with NOT_FOUND, and anything else when the caller has
// gone.
class Echo final : public v1::MessageService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetMessage(grpc::CallbackServerContext*,
                                       const v1::GetMessageRequest* request,
                                       v1::GetMessageResponse* response) override {
    return new Reactor(*this, *request, *response);
  }
  std::atomic<int> calls{0};
  std::atomic<int> cancelled{0};

 private:
  class Reactor final : public grpc::ServerUnaryReactor {
   public:
    Reactor(Echo& echo, const v1::GetMessageRequest& request, v1::GetMessageResponse& response)
        : echo_(echo) {
      ++echo_.calls;
      if (request.id() == "echo") {
        response.mutable_message()->set_id("echo");
        Finish(grpc::Status::OK);
      } else if (request.id() == "missing") {
        Finish({grpc::StatusCode::NOT_FOUND, "no such message"});
      }
    }
    void OnCancel() override {
      ++echo_.cancelled;
      Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }

   private:
    Echo& echo_;
  };
};

class AsyncUnaryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&echo_);
    server_ = builder.BuildAndStart();
    stub_ = v1::MessageService::NewStub(
        grpc::CreateChannel(StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  }
  void TearDown() override {
    stub_.reset();
    server_->Shutdown(std::chrono::system_clock::now() + 5s);
  }

  static v1::GetMessageRequest Request(const std::string& id) {
    v1::GetMessageRequest request;
    request.set_id(id);
    return request;
  }

  asio::awaitable<void> Get(std::string id, std::chrono::milliseconds budget) {
    const v1::GetMessageRequest request = Request(id);
    outcome_ =
        co_await Call(stub_->async(), &AsyncStub::GetMessage, request, Deadline::After(budget));
    thread_ = std::this_thread::get_id();
  }
  absl::StatusOr<v1::GetMessageResponse> RunGet(const std::string& id,
                                                std::chrono::milliseconds budget) {
    asio::co_spawn(io_, Get(id, budget), asio::detached);
    io_.run();
    io_.restart();
    return *outcome_;
  }

  Echo echo_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::MessageService::Stub> stub_;
  asio::io_context io_;
  std::optional<absl::StatusOr<v1::GetMessageResponse>> outcome_;
  std::thread::id thread_;
};

TEST_F(AsyncUnaryTest, ACoroutineGetsTheAnswerOnItsOwnThread) {
  const auto answer = RunGet("echo", 10s);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message().id(), "echo");
  EXPECT_EQ(thread_, std::this_thread::get_id());
}

TEST_F(AsyncUnaryTest, AnErrorIsAStatus) {
  EXPECT_EQ(RunGet("missing", 10s).status(), absl::NotFoundError("no such message"));
}

TEST_F(AsyncUnaryTest, TheDeadlineEndsTheCall) {
  EXPECT_EQ(RunGet("never", 50ms).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(RunGet("never", 0ms).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(AsyncUnaryTest, CancellingTheOperationCancelsTheCall) {
  asio::cancellation_signal signal;
  AsyncUnary(
      stub_->async(), &AsyncStub::GetMessage, Request("never"), Deadline::After(30s),
      asio::bind_cancellation_slot(
          signal.slot(), asio::bind_executor(io_, [this](auto outcome) { outcome_ = outcome; })));
  ASSERT_TRUE(test::Eventually([&] { return echo_.calls == 1; }));
  signal.emit(asio::cancellation_type::terminal);
  io_.run();
  EXPECT_EQ(outcome_->status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(test::Eventually([&] { return echo_.cancelled == 1; }));
}

}  // namespace
}  // namespace postern::rpc

#pragma once

#include <grpcpp/grpcpp.h>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/base/time.h"
#include "services/common/rpc/status.h"

namespace postern::rpc {

// Sets the deadline of a call. Every call has one.
inline void SetDeadline(grpc::ClientContext& context, Deadline deadline) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::microseconds>(deadline.Remaining()));
}

// A unary method of a generated stub's `async()` half, such as
// `&postern::v1::MessageService::StubInterface::async_interface::GetMessage`.
template <typename AsyncStub, typename Request, typename Response>
using UnaryMethod = void (AsyncStub::*)(grpc::ClientContext*, const Request*, Response*,
                                        std::function<void(grpc::Status)>);

namespace internal {

template <typename Request, typename Response, typename Handler>
struct UnaryCall {
  UnaryCall(Handler h, Request r)
      : handler(std::move(h)),
        work(boost::asio::get_associated_executor(handler)),
        request(std::move(r)) {}

  // On the handler's executor.
  void Complete(const grpc::Status& status) {
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.clear();
    auto outcome = status.ok() ? absl::StatusOr<Response>(std::move(response))
                               : absl::StatusOr<Response>(FromGrpc(status));
    Handler last = std::move(handler);
    work.reset();
    std::move(last)(std::move(outcome));
  }

  Handler handler;
  boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work;
  grpc::ClientContext context;
  Request request;
  Response response;
};

}  // namespace internal

// What a call carries besides its request. A deadline alone will do.
struct CallOptions {
  using Metadata = std::vector<std::pair<std::string, std::string>>;
  CallOptions(Deadline by) : deadline(by) {}
  CallOptions(Deadline by, Metadata with) : deadline(by), metadata(std::move(with)) {}

  Deadline deadline;
  Metadata metadata;  // Names in lower case, such as `authorization`. Nothing of it is logged.
};

// Starts a unary call; completes as `void(absl::StatusOr<Response>)` on the completion token's
// executor. Cancelling the operation cancels the call. A plain function, not a coroutine: `stub`
// must live until it completes, `request` is taken.
template <typename AsyncStub, typename Request, typename Response, typename Token>
auto AsyncUnary(std::type_identity_t<AsyncStub>* stub,
                UnaryMethod<AsyncStub, Request, Response> method,
                std::type_identity_t<Request> request, CallOptions options, Token&& token) {
  auto initiate = [](auto handler, AsyncStub* callee,
                     UnaryMethod<AsyncStub, Request, Response> call_method, Request call_request,
                     CallOptions call_options) {
    using Call = internal::UnaryCall<Request, Response, decltype(handler)>;
    auto call = std::make_shared<Call>(std::move(handler), std::move(call_request));
    SetDeadline(call->context, call_options.deadline);
    for (const auto& [name, value] : call_options.metadata) call->context.AddMetadata(name, value);
    auto slot = boost::asio::get_associated_cancellation_slot(call->handler);
    if (slot.is_connected()) {
      // Weak: the slot is cleared only on completion, and an owner here would keep the call alive
      // in its own handler.
      slot.assign([weak = std::weak_ptr<Call>(call)](boost::asio::cancellation_type) {
        if (auto running = weak.lock()) running->context.TryCancel();
      });
    }
    Call& running = *call;
    // gRPC's thread gives the call away: its context holds on to the channel, and a channel whose
    // last holder is one of gRPC's own threads joins that thread with itself (gRPC 1.51).
    auto on_done = [call = std::move(call)](grpc::Status status) mutable {
      const auto executor = call->work.get_executor();
      boost::asio::post(executor, [call = std::move(call), status = std::move(status)] {
        call->Complete(status);
      });
    };
    (callee->*call_method)(&running.context, &running.request, &running.response,
                           std::move(on_done));
  };
  return boost::asio::async_initiate<Token, void(absl::StatusOr<Response>)>(
      std::move(initiate), token, stub, method, std::move(request), std::move(options));
}

// The same for coroutines: `co_await rpc::Call(stub->async(), &…::async_interface::GetMessage,
// request, deadline)`, with `request` a variable.
template <typename AsyncStub, typename Request, typename Response>
boost::asio::awaitable<absl::StatusOr<Response>> Call(
    std::type_identity_t<AsyncStub>* stub, UnaryMethod<AsyncStub, Request, Response> method,
    std::type_identity_t<Request> request, CallOptions options) {
  return AsyncUnary(stub, method, std::move(request), std::move(options),
                    boost::asio::use_awaitable);
}

}  // namespace postern::rpc

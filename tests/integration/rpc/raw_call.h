#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

namespace postern::test {

// What a call without generated code gave.
struct RawCallResult {
  grpc::Status status;
  std::string bytes;
};

inline grpc::ByteBuffer Buffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// Starts one operation of a call with a tag and waits for it; whether it worked.
template <typename Start>
bool Step(grpc::CompletionQueue& queue, const Start& start) {
  start(&queue);
  void* tag = nullptr;
  bool ok = false;
  return queue.Next(&tag, &ok) && ok;
}

// Calls any method with a serialised request, as one request and one answer.
inline RawCallResult RawCall(const std::shared_ptr<grpc::Channel>& channel,
                             const std::string& method, const std::string& request,
                             std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + limit);
  const grpc::ByteBuffer request_buffer = Buffer(request);
  grpc::CompletionQueue queue;
  auto call = stub.PrepareUnaryCall(&context, method, request_buffer, &queue);
  call->StartCall();
  RawCallResult answer;
  grpc::ByteBuffer response_buffer;
  call->Finish(&response_buffer, &answer.status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  grpc::Slice whole;
  if (answer.status.ok() && response_buffer.DumpToSingleSlice(&whole).ok()) {
    answer.bytes.assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
  }
  return answer;
}

}  // namespace postern::test

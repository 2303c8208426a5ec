#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "postern/v1/delivery_service.grpc.pb.h"
#include "services/common/exec/bounded_executor.h"
#include "services/common/metrics/metrics.h"
#include "services/messages/envelope_reader.h"
#include "services/messages/message_writer.h"

namespace postern::messages {

// gRPC adapter of the deliveries. Opens the envelopes on the executor, hands them to the writer,
// answers from the writer's thread.
//
// Construct after the writer and the executor. Stop: end the gRPC server's calls, then stop the
// executor, then the writer. Authorisation is the server's (method table).
class DeliveryService final : public v1::DeliveryService::CallbackService {
 public:
  // `openers` is where envelopes are opened: about as many threads as cores, short queue.
  DeliveryService(MessageWriter& writer, exec::BoundedExecutor& openers,
                  EnvelopeReaderFactory readers, metrics::Registry& metrics);

  grpc::ServerUnaryReactor* DeliverMessages(grpc::CallbackServerContext* context,
                                            const v1::DeliverMessagesRequest* request,
                                            v1::DeliverMessagesResponse* response) override;
  grpc::ServerUnaryReactor* ReportAttempts(grpc::CallbackServerContext* context,
                                           const v1::ReportAttemptsRequest* request,
                                           v1::ReportAttemptsResponse* response) override;

 private:
  struct Call;
  void Open(const std::shared_ptr<Call>& call);
  absl::StatusOr<DeliveryItem> OpenOne(EnvelopeReader& reader, const v1::Delivery& delivery,
                                       v1::DeliveryOutcome& outcome);
  std::unique_ptr<EnvelopeReader> TakeReader();
  void GiveBack(std::unique_ptr<EnvelopeReader> reader);

  MessageWriter& writer_;
  exec::BoundedExecutor& openers_;
  const EnvelopeReaderFactory make_reader_;
  prometheus::Counter& key_unknown_;

  std::mutex mutex_;
  std::vector<std::unique_ptr<EnvelopeReader>> idle_readers_;
};

}  // namespace postern::messages

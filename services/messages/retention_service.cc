#include "services/messages/retention_service.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/messages/call_guard.h"

namespace postern::messages {
namespace {

constexpr std::int64_t kMicrosPerHour = 3'600'000'000;

template <typename Field>
void Fill(const std::vector<Partition>& partitions, Field& field) {
  for (const Partition& partition : partitions) {
    v1::Partition& out = *field.Add();
    out.set_name(partition.Name());
    out.set_from_us(partition.from_hour * kMicrosPerHour);
    out.set_until_us(partition.until_hour() * kMicrosPerHour);
    out.set_rows(partition.rows);
    out.set_bytes(partition.bytes);
  }
}

// At least 1 ms: 0 would mean no limit.
std::chrono::milliseconds Left(Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.Remaining());
  return std::max(left, std::chrono::milliseconds(1));
}

}  // namespace

grpc::ServerUnaryReactor* RetentionService::GetRetention(grpc::CallbackServerContext* context,
                                                         const v1::GetRetentionRequest*,
                                                         v1::GetRetentionResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const Deadline deadline = rpc::CallDeadline(*context, kCallTimeoutMax);
  const auto look = [this, reactor, response,
                     deadline](const absl::StatusOr<db::Connection*>& connection) {
    absl::Status ready = connection.status();
    if (ready.ok()) ready = (*connection)->SetStatementTimeout(Left(deadline));
    if (!ready.ok()) return reactor->Finish(rpc::ToGrpc(ready));
    Retention::Options options;
    options.dry_run = true;
    const auto report = retention_.RunOnce(**connection, options);
    if (!report.ok()) return reactor->Finish(rpc::ToGrpc(report.status()));
    response->set_keep_hours(retention_.rules().keep_hours);
    response->set_partition_hours(retention_.rules().hours);
    Fill(report->partitions, *response->mutable_partitions());
    Fill(report->plan.add, *response->mutable_to_add());
    Fill(report->plan.drop, *response->mutable_to_drop());
    response->set_rest_rows(report->rest_rows);
    response->set_held_up(report->held_up);
    reactor->Finish(grpc::Status::OK);
  };
  if (!database_.TrySubmit(deadline, look)) reactor->Finish(TooMuchInHand());
  return reactor;
}

grpc::ServerUnaryReactor* RetentionService::RunRetention(grpc::CallbackServerContext* context,
                                                         const v1::RunRetentionRequest* request,
                                                         v1::RunRetentionResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const Deadline deadline = rpc::CallDeadline(*context, kPartitionCallTimeoutMax);
  const auto run = [this, reactor, request, response,
                    deadline](const absl::StatusOr<db::Connection*>& connection) {
    if (!connection.ok()) return reactor->Finish(rpc::ToGrpc(connection.status()));
    Retention::Options options;
    options.split_large = request->split_large();
    const auto report = retention_.RunNow(options, deadline);
    if (!report.ok()) return reactor->Finish(rpc::ToGrpc(report.status()));
    Fill(report->added, *response->mutable_added());
    Fill(report->dropped, *response->mutable_dropped());
    response->set_held_up(report->held_up);
    const std::size_t planned = report->plan.add.size() + report->plan.drop.size();
    response->set_more(planned > report->added.size() + report->dropped.size());
    reactor->Finish(grpc::Status::OK);
  };
  if (!database_.TrySubmit(deadline, run)) reactor->Finish(TooMuchInHand());
  return reactor;
}

}  // namespace postern::messages

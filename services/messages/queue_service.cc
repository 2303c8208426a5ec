#include "services/messages/queue_service.h"

#include <string>
#include <utility>

#include "services/common/rpc/status.h"
#include "services/messages/database_call.h"
#include "services/messages/page_token.h"
#include "services/messages/queue_state.h"

namespace postern::messages {
namespace {

void Show(const QueueState& state, v1::GetQueueStatusResponse& response) {
  for (std::size_t i = 0; i < state.shards.size(); ++i) {
    const ShardState& shard = state.shards[i];
    v1::QueueShard& shown = *response.add_shards();
    shown.set_shard(static_cast<std::uint32_t>(i));
    shown.set_has_group(shard.has_group);
    shown.set_entries(shard.entries);
    shown.set_unread(shard.unread);
    shown.set_held(shard.held);
    shown.set_consumers(shard.consumers);
    shown.set_oldest_entry_at_us(shard.oldest_entry_at_us);
  }
  for (const std::string& fault : state.unsafe_settings) response.add_unsafe_settings(fault);
}

void Show(const Reconciler::Part& part, v1::ReconcileQueueResponse& response) {
  response.set_looked_at(part.result.looked_at);
  response.set_requeued(part.result.requeued);
  response.set_removed(part.result.removed);
  response.set_quarantined(part.result.quarantined);
  response.set_unheld(part.result.unheld);
  if (!part.end) response.set_next_page_token(PageTokenOf(part.last));
}

}  // namespace

grpc::ServerUnaryReactor* QueueService::GetQueueStatus(grpc::CallbackServerContext* context,
                                                       const v1::GetQueueStatusRequest*,
                                                       v1::GetQueueStatusResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  RunOnDatabase(database_, context, reactor, [this, response](db::Connection& connection) {
    const absl::StatusOr<QueueState> state = ReadQueueState(queue_);
    if (!state.ok()) return state.status();
    Show(*state, *response);
    const absl::StatusOr<std::string> holder = reconciler_.Leader(connection);
    if (!holder.ok()) return holder.status();
    response->set_reconciler(*holder);
    return absl::OkStatus();
  });
  return reactor;
}

grpc::ServerUnaryReactor* QueueService::ReconcileQueue(grpc::CallbackServerContext* context,
                                                       const v1::ReconcileQueueRequest* request,
                                                       v1::ReconcileQueueResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::StatusOr<Uuid> after = IdOfPageToken(request->page_token());
  if (!after.ok()) {
    reactor->Finish(rpc::ToGrpc(after.status()));
    return reactor;
  }
  RunOnDatabase(
      database_, context, reactor,
      [this, request, response, after = *after](db::Connection& connection) {
        const auto mode = request->dry_run() ? Reconciler::Mode::kLook : Reconciler::Mode::kHeal;
        const absl::StatusOr<Reconciler::Part> part = reconciler_.RunPart(connection, mode, after);
        if (!part.ok()) return part.status();
        Show(*part, *response);
        return absl::OkStatus();
      });
  return reactor;
}

}  // namespace postern::messages

#include "services/messages/requeue.h"

#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"

namespace postern::messages {
namespace {

constexpr char kRequeueScript[] =
    "local id = redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2]) "
    "redis.call('INCR', KEYS[2]) "
    "return id";

}  // namespace

void AppendRequeue(std::string& wire, std::uint32_t shard, std::string_view envelope) {
  redis::AppendCommand(wire, "EVAL", kRequeueScript, "2", redis::StreamKey(shard),
                       redis::RequeuedKey(shard), redis::kEnvelopeField, envelope);
}

void AppendRemoval(std::string& wire, std::uint32_t shard, std::string_view entry_id) {
  redis::AppendCommand(wire, "XDEL", redis::StreamKey(shard), entry_id);
}

}  // namespace postern::messages

#include "tests/load/preload_writer.h"

#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/redis/queue_layout.h"
#include "services/keys/number_index.h"
#include "services/messages/write_items.h"
#include "tests/load/limits.h"

namespace postern::load {
namespace {

constexpr char kCommon[] =
    "(id, client_id, domain, client_ref, number_hash, number_masked, reason, epoch, attempts,"
    " accepted_at_us, durable_at_us, registered_at_us, ";
constexpr char kDelivered[] =
    "data_key_id, encrypted_body, encrypted_number, metadata_json, delivered_at_us) VALUES ";
constexpr char kPending[] =
    "state, last_error, last_attempt_at_us, next_attempt_at_us, shard,"
    " envelope) VALUES ";
// From the acceptance to the disk of the queue, and to the register.
constexpr std::int64_t kDurableUs = 3'000;
constexpr std::int64_t kRegisteredUs = 7'000;
constexpr std::int64_t kNextAttemptUs = 30'000'000;

void AppendBytes(std::string& sql, std::string_view bytes) {
  StrAppend(&sql, "x'", HexEncode(bytes), "'");
}

}  // namespace

void PreloadWriter::Add(const PreloadMessage& message) {
  const v1::Envelope envelope = sealer_.Seal(message);
  if (message.state == v1::MESSAGE_STATE_DELIVERED) {
    AddDelivered(message, envelope);
    ++delivered_;
  } else {
    AddPending(message, envelope);
  }
}

// No text here has a quote or a backslash in it: ids, numbers, references and reasons.
void PreloadWriter::AddCommon(std::string& rows, const PreloadMessage& message) {
  rows += rows.empty() ? "(" : ",(";
  AppendBytes(rows, message.id.bytes());
  StrAppend(&rows, ",'", message.client_id, "','", kPreloadDomain, "','", message.client_ref, "',");
  AppendBytes(rows, sealer_.HashNumber(message.number));
  StrAppend(&rows, ",'", keys::MaskNumber(message.number), "','", message.reason, "',1,",
            message.attempts, ",", message.accepted_at_us, ",", message.accepted_at_us + kDurableUs,
            ",", message.accepted_at_us + kRegisteredUs, ",");
}

void PreloadWriter::AddDelivered(const PreloadMessage& message, const v1::Envelope& envelope) {
  AddCommon(delivered_rows_, message);
  AppendBytes(delivered_rows_, envelope.data_key_id());
  delivered_rows_ += ',';
  AppendBytes(delivered_rows_, envelope.encrypted_body());
  delivered_rows_ += ',';
  AppendBytes(delivered_rows_, envelope.encrypted_number());
  StrAppend(&delivered_rows_, ",'", envelope.metadata_json(), "',", message.delivered_at_us, ")");
}

// Without an entry in the queue: the reconciler puts there what is to be tried again.
void PreloadWriter::AddPending(const PreloadMessage& message, const v1::Envelope& envelope) {
  const bool dead = message.state == v1::MESSAGE_STATE_DEAD;
  const auto state = dead ? messages::RowState::kDead : messages::RowState::kRetrying;
  AddCommon(pending_rows_, message);
  StrAppend(&pending_rows_, static_cast<int>(state), ",'", message.reason, "',",
            message.accepted_at_us + kNextAttemptUs, ",", dead ? 0 : NowMicros() + kNextAttemptUs,
            ",", redis::ShardOf(message.client_id) % redis::kShards, ",");
  AppendBytes(pending_rows_, envelope.SerializeAsString());
  pending_rows_ += ')';
}

absl::Status PreloadWriter::Write(db::Connection& connection) {
  absl::Status status;
  if (!delivered_rows_.empty()) {
    status.Update(connection.ExecuteScriptStatement(
        StrCat("INSERT INTO messages ", kCommon, kDelivered, delivered_rows_)));
  }
  if (!pending_rows_.empty()) {
    status.Update(connection.ExecuteScriptStatement(
        StrCat("INSERT INTO pending ", kCommon, kPending, pending_rows_)));
  }
  delivered_rows_.clear();
  pending_rows_.clear();
  return status;
}

}  // namespace postern::load

#include "edge_proxy/registration_batch.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>

#include "postern/v1/registration_service.pb.h"

namespace postern::edge {
namespace {

using google::protobuf::io::CodedOutputStream;

// Tags of the protobuf wire format: field number times 8, plus 2 for a length-delimited value or 0
// for a number.
constexpr char Tag(int field, int wire_type) { return static_cast<char>(field * 8 + wire_type); }
constexpr int kBytes = 2;
constexpr int kVarint = 0;
constexpr char kRegistrations = Tag(v1::RegisterMessagesRequest::kRegistrationsFieldNumber, kBytes);
constexpr char kEnvelope = Tag(v1::Registration::kEnvelopeFieldNumber, kBytes);
constexpr char kPosition = Tag(v1::Registration::kPositionFieldNumber, kBytes);
constexpr char kDurableAt = Tag(v1::Registration::kDurableAtUsFieldNumber, kVarint);
constexpr char kShard = Tag(v1::QueuePosition::kShardFieldNumber, kVarint);
constexpr char kEntryId = Tag(v1::QueuePosition::kEntryIdFieldNumber, kBytes);

constexpr std::size_t kBookkeepingBytes = sizeof(Uuid) + 2 * sizeof(std::size_t) + 64;

std::size_t VarintSize(std::uint64_t value) { return CodedOutputStream::VarintSize64(value); }

std::size_t BytesFieldSize(std::size_t length) { return 1 + VarintSize(length) + length; }

void AppendVarint(std::string& out, std::uint64_t value) {
  std::uint8_t bytes[10];
  const std::uint8_t* const end = CodedOutputStream::WriteVarint64ToArray(value, bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(end - bytes));
}

void AppendBytesField(std::string& out, char tag, std::string_view value) {
  out.push_back(tag);
  AppendVarint(out, value.size());
  out.append(value);
}

}  // namespace

std::size_t RegistrationBatch::Cost(const DurableMessage& message) {
  return message.envelope.size() + message.entry_id.size() + kBookkeepingBytes;
}

void RegistrationBatch::Add(const DurableMessage& message, std::int64_t durable_at_us) {
  const auto durable_at = static_cast<std::uint64_t>(durable_at_us);
  const std::size_t position_size =
      1 + VarintSize(message.shard) + BytesFieldSize(message.entry_id.size());
  const std::size_t registration_size = BytesFieldSize(message.envelope.size()) +
                                        BytesFieldSize(position_size) + 1 + VarintSize(durable_at);
  constexpr std::size_t kFirstBytes = 32 * 1024;
  if (wire_.empty()) wire_.reserve(kFirstBytes);
  wire_.push_back(kRegistrations);
  AppendVarint(wire_, registration_size);
  AppendBytesField(wire_, kEnvelope, message.envelope);
  ends_.push_back(wire_.size());
  begins_.push_back(wire_.size() - message.envelope.size());
  wire_.push_back(kPosition);
  AppendVarint(wire_, position_size);
  wire_.push_back(kShard);
  AppendVarint(wire_, message.shard);
  AppendBytesField(wire_, kEntryId, message.entry_id);
  wire_.push_back(kDurableAt);
  AppendVarint(wire_, durable_at);

  lowest_ = ids_.empty() ? message.id : std::min(lowest_, message.id);
  highest_ = ids_.empty() ? message.id : std::max(highest_, message.id);
  ids_.push_back(message.id);
  cost_ += Cost(message);
}

std::optional<v1::Envelope> RegistrationBatch::Find(const Uuid& id) const {
  if (ids_.empty() || id < lowest_ || id > highest_) return std::nullopt;
  const auto found = std::find(ids_.begin(), ids_.end(), id);
  if (found == ids_.end()) return std::nullopt;
  const auto index = static_cast<std::size_t>(found - ids_.begin());
  v1::Envelope envelope;
  const std::size_t size = ends_[index] - begins_[index];
  if (!envelope.ParseFromArray(wire_.data() + begins_[index], static_cast<int>(size))) {
    return std::nullopt;
  }
  return envelope;
}

}  // namespace postern::edge

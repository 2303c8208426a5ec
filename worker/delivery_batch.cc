#include "worker/delivery_batch.h"

#include <cstddef>
#include <string>
#include <utility>

#include "services/common/base/uuid.h"
#include "worker/limits.h"

namespace postern::worker {
namespace {

bool Read(const QueueEntry& entry, v1::Envelope& envelope) {
  if (!entry.envelope || entry.envelope->size() > kMaxEnvelopeBytes) return false;
  return envelope.ParseFromArray(entry.envelope->data(),
                                 static_cast<int>(entry.envelope->size())) &&
         envelope.id().size() == Uuid::kSize;
}

}  // namespace

v1::Delivery& DeliveryBatch::AddDelivery() {
  if (spare_.empty()) return *request_.add_deliveries();
  v1::Delivery& delivery = *spare_.back();
  delivery.clear_unreadable_entry();
  request_.mutable_deliveries()->AddAllocated(spare_.back().release());
  spare_.pop_back();
  return delivery;
}

bool DeliveryBatch::Add(const QueueEntry& entry, std::chrono::steady_clock::time_point taken_at) {
  v1::Delivery& delivery = AddDelivery();
  v1::QueuePosition& position = *delivery.mutable_position();
  position.set_shard(entry.key.shard);
  position.set_entry_id(entry.id_text.data(), entry.id_text.size());
  Entry& mine = entries_.emplace_back();
  mine.key = entry.key;
  mine.taken_at = taken_at;
  const bool readable = Read(entry, *delivery.mutable_envelope());
  if (readable) {
    mine.bytes = entry.envelope->size();
  } else {
    delivery.mutable_envelope()->Clear();
    std::string content = entry.RawContent();
    if (content.size() > kMaxEnvelopeBytes) content.resize(kMaxEnvelopeBytes);
    mine.bytes = content.size();
    delivery.set_unreadable_entry(std::move(content));
  }
  bytes_ += mine.bytes;
  return readable;
}

void DeliveryBatch::TakeFrom(DeliveryBatch& other, std::size_t size_max) {
  std::size_t count = 0;
  std::size_t moved_bytes = 0;
  while (count < other.size() && size() + count < size_max &&
         bytes_ + moved_bytes < kMaxBatchBytes) {
    moved_bytes += other.entries_[count++].bytes;
  }
  std::vector<v1::Delivery*> deliveries(count);
  other.request_.mutable_deliveries()->ExtractSubrange(0, static_cast<int>(count),
                                                       deliveries.data());
  for (v1::Delivery* delivery : deliveries) request_.mutable_deliveries()->AddAllocated(delivery);
  const auto end = other.entries_.begin() + static_cast<std::ptrdiff_t>(count);
  entries_.insert(entries_.end(), other.entries_.begin(), end);
  other.entries_.erase(other.entries_.begin(), end);
  bytes_ += moved_bytes;
  other.bytes_ -= moved_bytes;
}

void DeliveryBatch::Clear() {
  while (request_.deliveries_size() > 0) {
    spare_.emplace_back(request_.mutable_deliveries()->ReleaseLast());
  }
  response_.Clear();
  entries_.clear();
  bytes_ = 0;
  context_.reset();
}

grpc::ClientContext& DeliveryBatch::NewContext(std::chrono::milliseconds budget) {
  response_.Clear();
  sent_at_ = std::chrono::steady_clock::now();
  context_ = std::make_unique<grpc::ClientContext>();
  context_->set_deadline(std::chrono::system_clock::now() + budget);
  return *context_;
}

void DeliveryBatch::Cancel() {
  if (context_ != nullptr) context_->TryCancel();
}

}  // namespace postern::worker

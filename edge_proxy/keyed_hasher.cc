#include "edge_proxy/keyed_hasher.h"

#include <memory>

namespace postern::edge {
namespace {

void AppendLength(std::string& out, std::size_t length) {
  constexpr int kBits = 32;
  for (int shift = kBits - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(length >> shift));
  }
}

}  // namespace

absl::Status KeyedHasher::Prepare() {
  const std::uint64_t version = keys_.version();
  if (version == version_ && hmac_.has_value()) return absl::OkStatus();
  const std::shared_ptr<DataKey> key = keys_.Current();
  if (key == nullptr) return absl::UnavailableError("no key has been fetched yet");
  hmac_.emplace(key->edge_hash_key());
  version_ = version;
  return absl::OkStatus();
}

std::string KeyedHasher::Hash(std::string_view kind,
                              std::initializer_list<std::string_view> parts) {
  // Lengths first, so that no two lists of parts read the same.
  std::string text(kind);
  for (const std::string_view part : parts) {
    AppendLength(text, part.size());
    text.append(part);
  }
  return hmac_->Sign(text).substr(0, kBytes);
}

std::string KeyedHasher::KeyName(std::string_view client_id, std::string_view key) {
  return Hash("key", {client_id, key});
}

std::string KeyedHasher::Fingerprint(const MessageRequest& request) {
  return Hash("message", {request.sender_number, request.message_body, request.metadata_json});
}

std::string KeyedHasher::CursorTag(std::string_view client_id, std::string_view filter,
                                   std::string_view place) {
  return Hash("cursor", {client_id, filter, place});
}

}  // namespace postern::edge

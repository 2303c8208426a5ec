#include "edge_proxy/idempotency.h"

#include <utility>

#include "edge_proxy/keyed_hasher.h"
#include "edge_proxy/limits.h"
#include "edge_proxy/message_rules.h"
#include "services/common/base/strings.h"

namespace postern::edge {
namespace {

constexpr char kRecordVersion = 1;
constexpr std::size_t kTimeBytes = 8;
constexpr std::size_t kRecordBytes = 1 + Uuid::kSize + kTimeBytes + KeyedHasher::kBytes;

// The content of a quoted string (RFC 8941, 3.3.3); nullopt when it is none.
std::optional<std::string> Unquote(std::string_view text) {
  std::string content;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      if (i + 1 != text.size()) return std::nullopt;
      return content;
    }
    if (text[i] == '\\') {
      ++i;
      if (i == text.size() || (text[i] != '"' && text[i] != '\\')) return std::nullopt;
    }
    content.push_back(text[i]);
  }
  return std::nullopt;
}

void AppendNumber(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = bytes; i > 0; --i) out.push_back(static_cast<char>(value >> (8 * (i - 1))));
}

}  // namespace

absl::StatusOr<std::string> ParseIdempotencyKey(std::string_view text) {
  std::string key(text);
  if (!text.empty() && text.front() == '"') {
    std::optional<std::string> content = Unquote(text);
    if (!content.has_value()) {
      return absl::InvalidArgumentError("The key is not one quoted string.");
    }
    key = *std::move(content);
  } else if (text.find_first_of("\",;\\") != std::string_view::npos) {
    return absl::InvalidArgumentError(
        "A key with a quote, a comma, a semicolon or a backslash must be a quoted string.");
  }
  if (!IsIdempotencyKey(key)) {
    return absl::InvalidArgumentError(StrCat("The key must have 1 to ", kIdempotencyKeyBytesMax,
                                             " characters, all of them visible ASCII."));
  }
  return key;
}

absl::StatusOr<std::optional<std::string>> IdempotencyKeyOf(const http::Request& request) {
  const std::string* value = nullptr;
  for (const auto& [name, text] : request.fields) {
    if (name != "idempotency-key") continue;
    if (value != nullptr) {
      return absl::InvalidArgumentError("There must be at most one Idempotency-Key.");
    }
    value = &text;
  }
  if (value == nullptr) return std::optional<std::string>();
  absl::StatusOr<std::string> key = ParseIdempotencyKey(*value);
  if (!key.ok()) return key.status();
  return std::optional<std::string>(*std::move(key));
}

std::string PackRecord(const IdempotencyRecord& record) {
  std::string packed;
  packed.reserve(kRecordBytes);
  packed.push_back(kRecordVersion);
  packed.append(record.id.bytes());
  AppendNumber(packed, static_cast<std::uint64_t>(record.accepted_at_us), kTimeBytes);
  packed.append(record.fingerprint);
  return packed;
}

absl::StatusOr<IdempotencyRecord> UnpackRecord(std::string_view packed) {
  if (packed.size() != kRecordBytes || packed.front() != kRecordVersion) {
    return absl::DataLossError("an idempotency record of an unknown form");
  }
  packed.remove_prefix(1);
  absl::StatusOr<Uuid> id = Uuid::FromBytes(packed.substr(0, Uuid::kSize));
  if (!id.ok()) return id.status();
  packed.remove_prefix(Uuid::kSize);
  std::uint64_t micros = 0;
  for (const char byte : packed.substr(0, kTimeBytes)) {
    micros = micros << 8 | static_cast<unsigned char>(byte);
  }
  packed.remove_prefix(kTimeBytes);
  IdempotencyRecord record;
  record.id = *id;
  record.accepted_at_us = static_cast<std::int64_t>(micros);
  record.fingerprint = packed;
  return record;
}

}  // namespace postern::edge

#include "portal/web/session.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "portal/web/limits.h"
#include "services/common/base/encoding.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

// Part of the additional data: never change one, add another.
constexpr std::string_view kPurpose = "postern portal session 1";
constexpr std::size_t kKeysMax = 4;

std::string Encode(const Session& session) {
  nlohmann::json json;
  json["i"] = HexEncode(session.id);
  json["a"] = session.access_token;
  json["ae"] = session.access_expires_at_us;
  json["r"] = session.refresh_token;
  json["re"] = session.refresh_expires_at_us;
  json["u"] = session.user_id;
  json["n"] = session.name;
  json["ad"] = session.admin;
  json["pc"] = session.password_change_required;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<Session> Decode(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  const absl::StatusOr<std::string> id = HexDecode(json.value("i", ""));
  if (!id.ok()) return std::nullopt;
  Session session;
  session.id = *id;
  session.access_token = json.value("a", "");
  session.access_expires_at_us = json.value("ae", std::int64_t{0});
  session.refresh_token = json.value("r", "");
  session.refresh_expires_at_us = json.value("re", std::int64_t{0});
  session.user_id = json.value("u", "");
  session.name = json.value("n", "");
  session.admin = json.value("ad", false);
  session.password_change_required = json.value("pc", false);
  return session;
}

}  // namespace

absl::StatusOr<std::vector<crypto::Secret>> ReadPortalKeys(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadSecretFile(path);
  if (!text.ok()) return text.status();
  std::vector<crypto::Secret> keys;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const absl::StatusOr<std::string> key = HexDecode(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!key.ok() || key->size() != crypto::kAeadKeySize || keys.size() == kKeysMax) {
      keys.clear();
      break;
    }
    keys.emplace_back(*key);
  }
  if (keys.empty()) {
    return absl::InvalidArgumentError(
        StrCat("session key file ", path, ": it must hold one to ", kKeysMax,
               " lines of 64 hexadecimal digits each; `openssl rand -hex 32` makes one"));
  }
  return keys;
}

SessionSealer::SessionSealer(const std::vector<crypto::Secret>& keys) {
  for (const crypto::Secret& key : keys) {
    absl::StatusOr<crypto::Aead> aead = crypto::Aead::Create(key.view());
    if (aead.ok()) keys_.push_back(*std::move(aead));
  }
}

std::string SessionSealer::Seal(const Session& session) {
  return absl::WebSafeBase64Escape(keys_.front().Seal(Encode(session), kPurpose));
}

std::optional<Session> SessionSealer::Open(std::string_view cookie) {
  std::string sealed;
  if (cookie.size() > kCookieBytesMax || !absl::WebSafeBase64Unescape(ToAbsl(cookie), &sealed)) {
    return std::nullopt;
  }
  for (crypto::Aead& key : keys_) {
    const absl::StatusOr<std::string> opened = key.Open(sealed, kPurpose);
    if (opened.ok()) return Decode(*opened);
  }
  return std::nullopt;
}

}  // namespace postern::portal

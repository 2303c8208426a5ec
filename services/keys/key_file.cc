#include "services/keys/key_file.h"

#include <openssl/crypto.h>

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "services/common/base/encoding.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/aead.h"

namespace postern::keys {
namespace {

void Wipe(std::string& text) { OPENSSL_cleanse(text.data(), text.size()); }

// Empty when the text is no key.
crypto::Secret DecodeKey(absl::string_view text) {
  std::string bytes;
  if (text.size() == 2 * crypto::kAeadKeySize) {
    if (auto decoded = HexDecode(ToStd(text)); decoded.ok()) bytes = *std::move(decoded);
  } else if (!absl::Base64Unescape(text, &bytes)) {
    bytes.clear();
  }
  crypto::Secret key;
  if (bytes.size() == crypto::kAeadKeySize) key = crypto::Secret(bytes);
  Wipe(bytes);
  return key;
}

absl::Status LineError(const std::string& name, std::size_t line, std::string_view reason) {
  return absl::InvalidArgumentError(StrCat(name, ":", line, ": ", reason));
}

}  // namespace

absl::StatusOr<std::map<std::uint32_t, crypto::Secret>> ParseKeys(const std::string& name,
                                                                  std::string_view text) {
  std::map<std::uint32_t, crypto::Secret> keys;
  std::size_t line_number = 0;
  bool alone = false;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    std::uint32_t version = 1;
    const std::size_t colon = line.find(':');
    if (alone || (colon == absl::string_view::npos && !keys.empty())) {
      return LineError(name, line_number, "several keys need a version each, as `<version>:<key>`");
    }
    if (colon == absl::string_view::npos) {
      alone = true;
    } else if (!absl::SimpleAtoi(line.substr(0, colon), &version) || version == 0) {
      return LineError(name, line_number, "the version is not a whole number from 1");
    } else {
      line.remove_prefix(colon + 1);
    }
    crypto::Secret key = DecodeKey(absl::StripAsciiWhitespace(line));
    if (key.empty()) {
      return LineError(name, line_number, "a key is 64 hexadecimal digits or base64 of 32 bytes");
    }
    if (!keys.emplace(version, std::move(key)).second) {
      return LineError(name, line_number, StrCat("version ", version, " is there twice"));
    }
  }
  if (keys.empty()) {
    return absl::InvalidArgumentError(
        StrCat(name, ": no key in it; make one with `openssl rand -hex 32`"));
  }
  return keys;
}

absl::StatusOr<std::map<std::uint32_t, crypto::Secret>> ReadKeyFile(const std::string& path) {
  absl::StatusOr<std::string> text = ReadSecretFile(path);
  if (!text.ok()) return text.status();
  auto keys = ParseKeys(path, *text);
  Wipe(*text);
  return keys;
}

}  // namespace postern::keys

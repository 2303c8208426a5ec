#include "services/identity/password.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "absl/strings/ascii.h"
#include "services/common/base/random.h"
#include "services/common/base/strings.h"
#include "services/common/base/utf8.h"
#include "services/common/crypto/hash.h"
#include "services/identity/limits.h"

namespace postern::identity {
namespace {

constexpr char kPrefix[] = "$2b$";
constexpr std::size_t kSaltBytes = 16;

// crypt_ra's working memory: it held the password.
class Scratch {
 public:
  ~Scratch() {
    if (data_ == nullptr) return;
    OPENSSL_cleanse(data_, static_cast<std::size_t>(size_));
    std::free(data_);
  }
  // Empty when libxcrypt refuses.
  std::string Crypt(std::string_view password, const std::string& setting) {
    std::string phrase(password);
    const char* hash = crypt_ra(phrase.c_str(), setting.c_str(), &data_, &size_);
    OPENSSL_cleanse(phrase.data(), phrase.size());
    return hash == nullptr ? std::string() : std::string(hash);
  }

 private:
  void* data_ = nullptr;
  int size_ = 0;
};

bool Fits(std::string_view password) {
  return password.size() <= kPasswordBytesMax && password.find('\0') == std::string_view::npos;
}

bool SameText(std::string_view a, std::string_view b) {
  return absl::AsciiStrToLower(ToAbsl(a)) == absl::AsciiStrToLower(ToAbsl(b));
}

}  // namespace

absl::StatusOr<std::string> HashPassword(std::string_view password, int cost) {
  if (!Fits(password)) return absl::InvalidArgumentError("password: over 72 bytes, or with a NUL");
  std::array<std::uint8_t, kSaltBytes> salt;
  FillRandom(salt);
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (crypt_gensalt_rn(kPrefix, static_cast<unsigned long>(cost),
                       reinterpret_cast<const char*>(salt.data()), static_cast<int>(salt.size()),
                       setting, sizeof setting) == nullptr) {
    return absl::InternalError("libxcrypt makes no bcrypt salt of this cost");
  }
  std::string hash = Scratch().Crypt(password, setting);
  if (!hash.starts_with(kPrefix)) return absl::InternalError("libxcrypt makes no bcrypt hash");
  return hash;
}

bool CheckPassword(std::string_view password, const std::string& hash) {
  const bool fits = Fits(password);
  const std::string computed = Scratch().Crypt(fits ? password : std::string_view(), hash);
  return crypto::ConstantTimeEqual(computed, hash) && fits && hash.starts_with(kPrefix);
}

bool NeedsRehash(const std::string& hash, int cost) {
  const std::string wanted = StrCat(kPrefix, cost < 10 ? "0" : "", cost, "$");
  return !hash.starts_with(wanted);
}

absl::Status CheckNewPassword(std::string_view password, std::string_view email,
                              std::string_view name) {
  if (password.size() > kPasswordBytesMax) {
    return absl::InvalidArgumentError("new_password: at most 72 bytes");
  }
  const std::optional<std::size_t> length = LineLength(password);
  if (!length) return absl::InvalidArgumentError("new_password: no control characters");
  if (*length < kPasswordLengthMin) {
    return absl::InvalidArgumentError("new_password: at least 12 characters");
  }
  if (SameText(password, email) || SameText(password, name)) {
    return absl::InvalidArgumentError("new_password: not the name or the e-mail");
  }
  return absl::OkStatus();
}

std::string MakeOneTimePassword() {
  // 31 symbols; values that would favour some of them are drawn again.
  constexpr std::string_view kSymbols = "abcdefghjkmnpqrstuvwxyz23456789";
  constexpr std::size_t kGroups = 5;
  constexpr std::size_t kGroupLength = 4;
  constexpr std::uint8_t kFairBelow = 256 - 256 % kSymbols.size();
  std::string password;
  for (std::size_t drawn = 0; drawn < kGroups * kGroupLength;) {
    std::array<std::uint8_t, 1> byte;
    FillRandom(byte);
    if (byte[0] >= kFairBelow) continue;
    if (drawn > 0 && drawn % kGroupLength == 0) password += '-';
    password += kSymbols[byte[0] % kSymbols.size()];
    ++drawn;
  }
  return password;
}

}  // namespace postern::identity

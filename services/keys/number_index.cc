#include "services/keys/number_index.h"

#include <algorithm>

namespace postern::keys {
namespace {

constexpr std::size_t kHiddenMin = 5;
constexpr std::size_t kShownFirst = 4;
constexpr std::size_t kShownLast = 2;

}  // namespace

crypto::Secret DeriveEdgeHashKey(const crypto::Secret& index_key) {
  // No number: those begin with a plus sign.
  return crypto::Secret(crypto::Hmac(index_key.view()).Sign("postern edge hash key 1"));
}

std::string MaskNumber(std::string_view number) {
  const std::size_t plus = !number.empty() && number.front() == '+' ? 1 : 0;
  const std::size_t digits = number.size() - plus;
  const std::size_t hidden_min = std::min(digits, kHiddenMin);
  const std::size_t last = std::min(kShownLast, (digits - hidden_min) / 3);
  const std::size_t first = std::min(kShownFirst, digits - hidden_min - last);
  std::string masked(number);
  std::fill(masked.begin() + static_cast<std::ptrdiff_t>(plus + first),
            masked.end() - static_cast<std::ptrdiff_t>(last), '*');
  return masked;
}

}  // namespace postern::keys

#include "services/common/audit/row.h"

#include "services/common/base/strings.h"
#include "services/common/crypto/hash.h"

namespace postern::audit {
namespace {

constexpr char kFormat = 1;
constexpr std::size_t kHashSize = 32;

void AppendBigEndian(std::uint64_t value, int bytes, std::string& out) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

void AppendText(std::string_view text, std::string& out) {
  AppendBigEndian(text.size(), 4, out);
  out.append(text);
}

}  // namespace

std::string FirstHash() { return std::string(kHashSize, '\0'); }

std::string EncodeRow(const Row& row) {
  std::string out(1, kFormat);
  AppendBigEndian(static_cast<std::uint64_t>(row.sequence), 8, out);
  AppendBigEndian(static_cast<std::uint64_t>(row.at_us), 8, out);
  AppendBigEndian(static_cast<std::uint64_t>(row.outcome), 1, out);
  AppendText(row.actor, out);
  AppendText(row.action, out);
  AppendText(row.target, out);
  AppendText(row.details, out);
  return out;
}

std::string HashOfRow(std::string_view previous_hash, const Row& row) {
  return crypto::Sha256(StrCat(previous_hash, EncodeRow(row)));
}

}  // namespace postern::audit

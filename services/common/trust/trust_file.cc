#include "services/common/trust/trust_file.h"

#include "services/common/base/encoding.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/hash.h"

namespace postern::trust {
namespace {

constexpr char kFormat[] = "postern-trust 1 ";

absl::Status Torn(const std::string& path) {
  return absl::DataLossError(StrCat(
      path,
      ": torn, or no state of revocations: remove it; the main server tells all of it again"));
}

}  // namespace

absl::Status WriteTrustFile(const std::string& path, const v1::WatchTrustResponse& state) {
  const std::string body = state.SerializeAsString();
  return WriteFileAtomically(path, StrCat(kFormat, HexEncode(crypto::Sha256(body)), "\n", body));
}

absl::StatusOr<v1::WatchTrustResponse> ReadTrustFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  const std::size_t end = text->find('\n');
  if (end == std::string::npos) return Torn(path);
  const std::string_view body = std::string_view(*text).substr(end + 1);
  if (text->substr(0, end) != StrCat(kFormat, HexEncode(crypto::Sha256(body)))) return Torn(path);
  v1::WatchTrustResponse state;
  if (!state.ParseFromArray(body.data(), static_cast<int>(body.size()))) return Torn(path);
  return state;
}

}  // namespace postern::trust

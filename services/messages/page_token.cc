#include "services/messages/page_token.h"

#include "absl/status/status.h"
#include "services/common/base/encoding.h"

namespace postern::messages {

absl::StatusOr<Uuid> IdOfPageToken(const std::string& token) {
  if (token.empty()) return Uuid();
  const absl::StatusOr<std::string> bytes = HexDecode(token);
  const absl::StatusOr<Uuid> last =
      bytes.ok() ? Uuid::FromBytes(*bytes) : absl::StatusOr<Uuid>(bytes.status());
  if (!last.ok()) return absl::InvalidArgumentError("page_token is not one of ours");
  return last;
}

std::string PageTokenOf(const Uuid& last) { return HexEncode(last.bytes()); }

}  // namespace postern::messages

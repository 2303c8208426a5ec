#include "services/messages/list_query.h"

#include <algorithm>

#include "services/common/base/encoding.h"
#include "services/messages/limits.h"

namespace postern::messages {

absl::StatusOr<MessageQuery> QueryOf(const v1::ListMessagesRequest& request) {
  if (request.page_size() < 0) return absl::InvalidArgumentError("page_size is negative");
  if (request.accepted_from_us() < 0 || request.accepted_until_us() < 0) {
    return absl::InvalidArgumentError("a time bound is negative");
  }
  MessageQuery query;
  query.limit = request.page_size() == 0 ? kPageDefault : std::min(request.page_size(), kPageMax);
  query.client_id = request.client_id();
  query.client_ref = request.client_ref();
  query.accepted_from_us = request.accepted_from_us();
  query.accepted_until_us = request.accepted_until_us();
  for (const int state : request.states()) {
    if (state == v1::MESSAGE_STATE_UNSPECIFIED || !v1::MessageState_IsValid(state)) {
      return absl::InvalidArgumentError("states holds an unknown state");
    }
    query.states.push_back(static_cast<v1::MessageState>(state));
  }
  if (!request.page_token().empty()) {
    const absl::StatusOr<std::string> bytes = HexDecode(request.page_token());
    const absl::StatusOr<Uuid> last =
        bytes.ok() ? Uuid::FromBytes(*bytes) : absl::StatusOr<Uuid>(bytes.status());
    if (!last.ok()) return absl::InvalidArgumentError("page_token is not one of ours");
    query.before = *last;
  }
  return query;
}

std::string PageToken(const Uuid& last) { return HexEncode(last.bytes()); }

}  // namespace postern::messages

#include "services/messages/list_query.h"

#include <algorithm>

#include "services/messages/database_call.h"
#include "services/messages/limits.h"

namespace postern::messages {

namespace {

bool IsNumber(const std::string& text) {
  return text.size() > 1 && text.size() <= kNumberMax && text.front() == '+' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

absl::StatusOr<MessageQuery> QueryOf(const v1::ListMessagesRequest& request,
                                     const NumberHasher& hash_number) {
  if (request.page_size() < 0) return absl::InvalidArgumentError("page_size is negative");
  if (request.accepted_from_us() < 0 || request.accepted_until_us() < 0) {
    return absl::InvalidArgumentError("a time bound is negative");
  }
  MessageQuery query;
  query.limit = request.page_size() == 0 ? kPageDefault : std::min(request.page_size(), kPageMax);
  query.client_id = request.client_id();
  query.client_ref = request.client_ref();
  query.reason = request.reason();
  query.accepted_from_us = request.accepted_from_us();
  query.accepted_until_us = request.accepted_until_us();
  if (!request.sender_number().empty()) {
    if (!IsNumber(request.sender_number())) {
      return absl::InvalidArgumentError("sender_number is not in E.164, with its plus sign");
    }
    query.number_hash = hash_number(request.sender_number());
  }
  for (const int state : request.states()) {
    if (state == v1::MESSAGE_STATE_UNSPECIFIED || !v1::MessageState_IsValid(state)) {
      return absl::InvalidArgumentError("states holds an unknown state");
    }
    query.states.push_back(static_cast<v1::MessageState>(state));
  }
  if (!request.page_token().empty()) {
    const absl::StatusOr<Uuid> last = IdOfPageToken(request.page_token());
    if (!last.ok()) return last.status();
    query.before = *last;
  }
  return query;
}

}  // namespace postern::messages

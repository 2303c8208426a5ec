#include "services/messages/list_query.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/utf8.h"
#include "services/messages/limits.h"
#include "services/messages/page_token.h"

namespace postern::messages {

namespace {

constexpr char kPreviousMark = 'p';

bool IsNumber(const std::string& text) {
  return text.size() > 1 && text.size() <= kNumberMax && text.front() == '+' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Where the page begins: a token or an id, one of them.
absl::Status ReadPlace(const v1::ListMessagesRequest& request, MessageQuery& query) {
  const int given = (request.page_token().empty() ? 0 : 1) +
                    (request.older_than_id().empty() ? 0 : 1) +
                    (request.newer_than_id().empty() ? 0 : 1);
  if (given > 1) {
    return absl::InvalidArgumentError("page_token, older_than_id and newer_than_id: one of them");
  }
  const auto read = [](const absl::StatusOr<Uuid>& id, const char* wrong,
                       std::optional<Uuid>& place) {
    if (!id.ok()) return absl::InvalidArgumentError(wrong);
    place = *id;
    return absl::OkStatus();
  };
  constexpr char kWrongToken[] = "page_token is not one of ours";
  if (!request.older_than_id().empty()) {
    return read(Uuid::Parse(request.older_than_id()), "older_than_id: not a UUID", query.before);
  }
  if (!request.newer_than_id().empty()) {
    return read(Uuid::Parse(request.newer_than_id()), "newer_than_id: not a UUID", query.after);
  }
  if (request.page_token().empty()) return absl::OkStatus();
  if (request.page_token().front() == kPreviousMark) {
    if (request.page_token().size() == 1) return absl::InvalidArgumentError(kWrongToken);
    return read(IdOfPageToken(request.page_token().substr(1)), kWrongToken, query.after);
  }
  return read(IdOfPageToken(request.page_token()), kWrongToken, query.before);
}

}  // namespace

absl::StatusOr<MessageQuery> QueryOf(const v1::ListMessagesRequest& request,
                                     const NumberHasher& hash_number) {
  if (request.page_size() < 0) return absl::InvalidArgumentError("page_size is negative");
  if (request.accepted_from_us() < 0 || request.accepted_until_us() < 0) {
    return absl::InvalidArgumentError("a time bound is negative");
  }
  // The columns hold nothing else.
  for (const auto& [name, text] :
       {std::pair("client_id", &request.client_id()),
        std::pair("client_ref", &request.client_ref()), std::pair("reason", &request.reason())}) {
    if (!IsAscii(*text)) return absl::InvalidArgumentError(StrCat(name, ": only ASCII characters"));
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
      return absl::InvalidArgumentError("sender_number: wanted is E.164, with its plus sign");
    }
    query.number_hash = hash_number(request.sender_number());
  }
  for (const int state : request.states()) {
    if (state == v1::MESSAGE_STATE_UNSPECIFIED || !v1::MessageState_IsValid(state)) {
      return absl::InvalidArgumentError("states holds an unknown state");
    }
    query.states.push_back(static_cast<v1::MessageState>(state));
  }
  if (absl::Status status = ReadPlace(request, query); !status.ok()) return status;
  return query;
}

void FinishPage(const MessageQuery& query, std::vector<StoredMessage>& rows,
                v1::ListMessagesResponse& response) {
  const bool more = rows.size() > static_cast<std::size_t>(query.limit);
  const bool backwards = query.after.has_value();
  if (more) rows.erase(backwards ? rows.begin() : rows.end() - 1);
  if (rows.empty()) return;
  // Where a page began somewhere, there was something before.
  const bool older = backwards || more;
  const bool newer = backwards ? more : query.before.has_value();
  if (older) response.set_next_page_token(PageTokenOf(rows.back().ciphertext.message_id));
  if (newer) {
    response.set_previous_page_token(kPreviousMark +
                                     PageTokenOf(rows.front().ciphertext.message_id));
  }
}

}  // namespace postern::messages

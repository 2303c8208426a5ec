#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "postern/v1/message_service.pb.h"
#include "services/messages/envelope_reader.h"
#include "services/messages/message_repository.h"

namespace postern::messages {

// What a list request asks for. The token of a following page is the last id of the page before, in
// hexadecimal; that of a preceding one has a `p` in front. InvalidArgument with a sentence for the
// caller, which repeats no number.
absl::StatusOr<MessageQuery> QueryOf(const v1::ListMessagesRequest& request,
                                     const NumberHasher& hash_number);

// Puts the page into order and says where its neighbours begin. `rows` are at most one more than
// the page has: the one more tells that there is another page.
void FinishPage(const MessageQuery& query, std::vector<StoredMessage>& rows,
                v1::ListMessagesResponse& response);

}  // namespace postern::messages

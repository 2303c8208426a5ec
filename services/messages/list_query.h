#pragma once

#include "absl/status/statusor.h"
#include "postern/v1/message_service.pb.h"
#include "services/messages/envelope_reader.h"
#include "services/messages/message_repository.h"

namespace postern::messages {

// What a list request asks for. A page token is the last id of the page before, in hexadecimal.
// InvalidArgument with a sentence for the caller, which repeats no number.
absl::StatusOr<MessageQuery> QueryOf(const v1::ListMessagesRequest& request,
                                     const NumberHasher& hash_number);

}  // namespace postern::messages

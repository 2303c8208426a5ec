#pragma once

#include "absl/status/statusor.h"
#include "postern/v1/message_service.pb.h"
#include "services/messages/message_repository.h"

namespace postern::messages {

// What a list request asks for. A page token is the last id of the page before, in hexadecimal.
// InvalidArgument with a sentence for the caller.
absl::StatusOr<MessageQuery> QueryOf(const v1::ListMessagesRequest& request);

}  // namespace postern::messages

#pragma once

#include <string>
#include <vector>

#include "edge_proxy/submit_outcome.h"
#include "services/common/http/message.h"

namespace postern::edge {

// The answer to a batch, an outcome for each message in their order: 202 when all were accepted,
// 207 when some were not.
http::Response BatchAnswer(const std::vector<SubmitOutcome>& outcomes,
                           const std::string& request_id);

}  // namespace postern::edge

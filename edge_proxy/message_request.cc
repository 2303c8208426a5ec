#include "edge_proxy/message_request.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "edge_proxy/json_scanner.h"
#include "edge_proxy/limits.h"
#include "edge_proxy/message_reader.h"
#include "services/common/base/strings.h"

namespace postern::edge {

ParsedMessage ParseMessageRequest(std::string_view body, std::string_view client_id) {
  ParsedMessage out;
  MessageReader::Options options;
  options.client_id = client_id;
  MessageReader reader(std::move(options), out);
  const JsonFault fault = ScanJson(body, kJsonDepthMax, reader);
  if (fault.kind == JsonFault::Kind::kNone) {
    reader.Finish();
  } else {
    out.problem = MalformedJson(fault);
  }
  return out;
}

bool IsJsonMediaType(std::string_view content_type) {
  if (content_type == "application/json") return true;
  const std::vector<absl::string_view> parts = absl::StrSplit(ToAbsl(content_type), ';');
  if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts[0]), "application/json"))
    return false;
  if (parts.size() == 1) return true;
  const absl::string_view parameter = absl::StripAsciiWhitespace(parts[1]);
  return parts.size() == 2 && (absl::EqualsIgnoreCase(parameter, "charset=utf-8") ||
                               absl::EqualsIgnoreCase(parameter, "charset=\"utf-8\""));
}

}  // namespace postern::edge

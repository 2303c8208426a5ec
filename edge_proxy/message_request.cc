#include "edge_proxy/message_request.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "edge_proxy/json_scanner.h"
#include "edge_proxy/json_text.h"
#include "edge_proxy/limits.h"
#include "edge_proxy/message_rules.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::edge {
namespace {

enum class Type { kNull, kBoolean, kNumber, kString, kContainer };

// What the value that comes next belongs to.
enum class Member { kNumber, kBody, kMetadata, kUnknown };

// Takes what the scanner finds and collects what is wrong. Values of unknown members, and
// containers where none belongs, are read over.
class RequestReader final : public JsonHandler {
 public:
  RequestReader(std::string_view client_id, ParsedMessage& out)
      : client_id_(client_id), out_(out) {}

  void OnNull() override { OnScalar(Type::kNull, "null"); }
  void OnBoolean(bool value) override { OnScalar(Type::kBoolean, value ? "true" : "false"); }
  void OnNumber(std::string_view text) override { OnScalar(Type::kNumber, text); }
  void OnString(std::string_view value) override;
  void OnKey(std::string_view name) override;
  void OnStartObject() override { OnStart(/*object=*/true); }
  void OnStartArray() override { OnStart(/*object=*/false); }
  void OnEnd() override;

  // After the last event.
  void Finish(const JsonFault& fault);

 private:
  void OnScalar(Type type, std::string_view text);
  void OnStart(bool object);
  void OnRootKey(std::string_view name);
  void OnMetadataKey(std::string_view name);
  void OnMetadataScalar(Type type, std::string_view text);
  void OnWrongType(std::string_view wanted);
  void OnRequiredString(std::string_view value);
  void OnMetadataString(std::string_view value);
  void AppendMetadataName();
  void Add(std::string pointer, std::string_view code, std::string detail);
  std::string Pointer() const;

  const std::string_view client_id_;
  ParsedMessage& out_;
  std::vector<Violation> violations_;
  bool violations_full_ = false;

  std::size_t depth_ = 0;
  std::size_t ignored_depth_ = 0;  // Of the container that is being read over; 0: none is.
  bool root_is_object_ = false;
  Member member_ = Member::kUnknown;
  bool in_metadata_ = false;
  bool seen_number_ = false;
  bool seen_body_ = false;
  bool seen_metadata_ = false;

  std::string metadata_name_;
  std::vector<std::string> metadata_names_;
  std::size_t metadata_members_ = 0;
};

void AppendPointerToken(std::string& pointer, std::string_view name) {
  pointer.push_back('/');
  for (const char c : name) {
    if (c == '~') {
      pointer.append("~0");
    } else if (c == '/') {
      pointer.append("~1");
    } else {
      pointer.push_back(c);
    }
  }
}

void RequestReader::Add(std::string pointer, std::string_view code, std::string detail) {
  if (violations_.size() >= kViolationsMax) {
    violations_full_ = true;
    return;
  }
  Violation violation;
  violation.pointer = std::move(pointer);
  violation.code = code;
  violation.detail = std::move(detail);
  violations_.push_back(std::move(violation));
}

std::string RequestReader::Pointer() const {
  if (!root_is_object_) return "";
  switch (member_) {
    case Member::kNumber:
      return "/sender_number";
    case Member::kBody:
      return "/message_body";
    default:
      break;
  }
  std::string pointer = "/metadata";
  if (in_metadata_) AppendPointerToken(pointer, metadata_name_);
  return pointer;
}

void RequestReader::OnKey(std::string_view name) {
  if (ignored_depth_ != 0) return;
  if (in_metadata_) {
    OnMetadataKey(name);
  } else {
    OnRootKey(name);
  }
}

void RequestReader::OnRootKey(std::string_view name) {
  bool* seen = nullptr;
  if (name == "sender_number") {
    member_ = Member::kNumber;
    seen = &seen_number_;
  } else if (name == "message_body") {
    member_ = Member::kBody;
    seen = &seen_body_;
  } else if (name == "metadata") {
    member_ = Member::kMetadata;
    seen = &seen_metadata_;
  } else {
    member_ = Member::kUnknown;
    std::string pointer;
    if (name.size() <= kMemberNameBytesMax) AppendPointerToken(pointer, name);
    Add(std::move(pointer), "unknown-member",
        "Members are sender_number, message_body and metadata; there is no other.");
    return;
  }
  if (*seen) {
    Add(Pointer(), "duplicate-member", "The member occurs more than once.");
    member_ = Member::kUnknown;
  }
  *seen = true;
}

void RequestReader::OnMetadataKey(std::string_view name) {
  ++metadata_members_;
  metadata_name_ = name.size() <= kMemberNameBytesMax ? name : std::string_view();
  if (metadata_members_ == kMetadataMembersMax + 1) {
    Add("/metadata", "too-many-members",
        StrCat("At most ", kMetadataMembersMax, " members are allowed."));
  }
  if (name.size() > kMemberNameBytesMax) {
    Add("/metadata", "name-too-long",
        StrCat("Names have at most ", kMemberNameBytesMax, " bytes."));
  }
  if (HasNul(name)) Add("/metadata", "nul-character", "Names must not hold U+0000.");
  if (metadata_members_ > kMetadataMembersMax) return;
  for (const std::string& earlier : metadata_names_) {
    if (earlier == name) Add(Pointer(), "duplicate-member", "The member occurs more than once.");
  }
  metadata_names_.emplace_back(name);
}

void RequestReader::OnWrongType(std::string_view wanted) {
  Add(Pointer(), "wrong-type", StrCat("The value must be ", wanted, "."));
}

void RequestReader::OnScalar(Type type, std::string_view text) {
  if (ignored_depth_ != 0) return;
  if (in_metadata_) {
    OnMetadataScalar(type, text);
  } else if (depth_ == 0 || member_ == Member::kMetadata) {
    OnWrongType("an object");
  } else if (member_ != Member::kUnknown) {
    OnWrongType("a string");
  }
}

void RequestReader::OnMetadataScalar(Type type, std::string_view text) {
  if (type == Type::kNull) return OnWrongType("a string, a number or a boolean");
  if (metadata_name_ == "client_id" || metadata_name_ == "timestamp" ||
      metadata_name_ == "client_ref") {
    return OnWrongType("a string");
  }
  double value = 0;
  if (type == Type::kNumber && (!absl::SimpleAtod(ToAbsl(text), &value) || std::isinf(value))) {
    Add(Pointer(), "number-out-of-range", "The number does not fit a double (IEEE 754).");
  }
  AppendMetadataName();
  out_.request.metadata_json.append(text);
}

void RequestReader::OnString(std::string_view value) {
  if (ignored_depth_ != 0) return;
  if (in_metadata_) {
    OnMetadataString(value);
  } else if (depth_ == 0 || member_ == Member::kMetadata) {
    OnWrongType("an object");
  } else {
    OnRequiredString(value);
  }
}

void RequestReader::OnRequiredString(std::string_view value) {
  if (member_ == Member::kNumber) {
    if (!IsE164(value)) {
      Add(Pointer(), "invalid-sender",
          StrCat("The number must be in E.164: a plus sign and ", kNumberDigitsMin, " to ",
                 kNumberDigitsMax, " digits, the first not 0."));
    }
    out_.request.sender_number = value;
  } else if (member_ == Member::kBody) {
    if (value.empty()) Add(Pointer(), "text-empty", "The text must not be empty.");
    if (HasNul(value)) Add(Pointer(), "nul-character", "The text must not hold U+0000.");
    if (value.size() > kMessageCodePointsMax && CountCodePoints(value) > kMessageCodePointsMax) {
      Add(Pointer(), "text-too-long",
          StrCat("The text has more than ", kMessageCodePointsMax, " Unicode code points."));
    }
    out_.request.message_body = value;
  }
}

void RequestReader::OnMetadataString(std::string_view value) {
  if (HasNul(value)) Add(Pointer(), "nul-character", "The value must not hold U+0000.");
  if (metadata_name_ == "client_id") {
    if (value != client_id_) {
      Add(Pointer(), "client-mismatch", "The value is not the client that the certificate names.");
    }
  } else if (metadata_name_ == "timestamp") {
    if (!ParseRfc3339(value).ok()) {
      Add(Pointer(), "invalid-timestamp",
          "The value must be a date and time with offset as in RFC 3339.");
    }
  } else if (metadata_name_ == "client_ref") {
    if (!IsClientRef(value)) {
      Add(Pointer(), "invalid-client-ref",
          StrCat("The value must have at most ", kClientRefBytesMax,
                 " characters, all of them visible ASCII."));
    }
    out_.request.client_ref = value;
  }
  AppendMetadataName();
  AppendJsonString(out_.request.metadata_json, value);
}

void RequestReader::AppendMetadataName() {
  std::string& json = out_.request.metadata_json;
  if (json.size() > 1) json.push_back(',');
  AppendJsonString(json, metadata_name_);
  json.push_back(':');
}

void RequestReader::OnStart(bool object) {
  ++depth_;
  if (ignored_depth_ != 0) return;
  if (depth_ == 1 && object) {
    root_is_object_ = true;
    return;
  }
  if (depth_ == 2 && object && member_ == Member::kMetadata) {
    in_metadata_ = true;
    out_.request.metadata_json.push_back('{');
    return;
  }
  ignored_depth_ = depth_;
  if (in_metadata_) {
    OnWrongType("a string, a number or a boolean");
  } else if (depth_ == 1 || member_ == Member::kMetadata) {
    OnWrongType("an object");
  } else if (member_ != Member::kUnknown) {
    OnWrongType("a string");
  }
}

void RequestReader::OnEnd() {
  if (depth_ == ignored_depth_) {
    ignored_depth_ = 0;
  } else if (depth_ == 2 && in_metadata_ && ignored_depth_ == 0) {
    in_metadata_ = false;
    out_.request.metadata_json.push_back('}');
  }
  --depth_;
}

std::string_view ReasonOf(JsonFault::Kind kind) {
  switch (kind) {
    case JsonFault::Kind::kEndOfText:
      return "the text ends too early";
    case JsonFault::Kind::kInvalidUtf8:
      return "this is not valid UTF-8";
    case JsonFault::Kind::kLoneSurrogate:
      return "a surrogate stands alone";
    case JsonFault::Kind::kTooDeep:
      return "this is nested too deep";
    default:
      return "this does not belong into JSON (RFC 8259)";
  }
}

void RequestReader::Finish(const JsonFault& fault) {
  if (fault.kind != JsonFault::Kind::kNone) {
    Problem problem;
    problem.code = ProblemCode::kMalformedJson;
    problem.detail =
        StrCat("At byte ", fault.offset, ", counted from 0: ", ReasonOf(fault.kind), ".");
    out_.problem = std::move(problem);
    return;
  }
  if (root_is_object_) {
    if (!seen_number_) Add("/sender_number", "required", "The member is missing.");
    if (!seen_body_) Add("/message_body", "required", "The member is missing.");
  }
  if (out_.request.metadata_json.size() > kMetadataBytesMax) {
    Add("/metadata", "too-large",
        StrCat("Written without blanks, it has more than ", kMetadataBytesMax, " bytes."));
  }
  if (violations_.empty()) return;
  Problem problem;
  problem.code = ProblemCode::kValidationFailed;
  problem.detail = violations_full_
                       ? StrCat("Only the first ", kViolationsMax, " violations are listed.")
                       : StrCat(violations_.size(), " violation(s); errors lists them all.");
  problem.errors = std::move(violations_);
  out_.problem = std::move(problem);
}

}  // namespace

ParsedMessage ParseMessageRequest(std::string_view body, std::string_view client_id) {
  ParsedMessage out;
  RequestReader reader(client_id, out);
  reader.Finish(ScanJson(body, kJsonDepthMax, reader));
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

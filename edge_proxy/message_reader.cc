#include "edge_proxy/message_reader.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "edge_proxy/json_text.h"
#include "edge_proxy/limits.h"
#include "edge_proxy/message_rules.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"

namespace postern::edge {
namespace {

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

}  // namespace

Problem MalformedJson(const JsonFault& fault) {
  Problem problem;
  problem.code = ProblemCode::kMalformedJson;
  problem.detail =
      StrCat("At byte ", fault.offset, ", counted from 0: ", ReasonOf(fault.kind), ".");
  return problem;
}

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

void Violations::Add(std::string_view pointer, std::string_view code, std::string detail) {
  if (found_.size() >= kViolationsMax) {
    full_ = true;
    return;
  }
  Violation violation;
  violation.pointer = prefix_;
  violation.pointer.append(pointer);
  violation.code = code;
  violation.detail = std::move(detail);
  found_.push_back(std::move(violation));
}

std::optional<Problem> Violations::Take() {
  if (found_.empty()) return std::nullopt;
  Problem problem;
  problem.code = ProblemCode::kValidationFailed;
  problem.detail = full_ ? StrCat("Only the first ", kViolationsMax, " violations are listed.")
                         : StrCat(found_.size(), " violation(s); errors lists them all.");
  problem.errors = std::move(found_);
  return problem;
}

std::string MessageReader::Pointer() const {
  if (!root_is_object_) return "";
  switch (member_) {
    case Member::kNumber:
      return "/sender_number";
    case Member::kBody:
      return "/message_body";
    case Member::kKey:
      return "/idempotency_key";
    default:
      break;
  }
  std::string pointer = "/metadata";
  if (in_metadata_) AppendPointerToken(pointer, metadata_name_);
  return pointer;
}

void MessageReader::OnKey(std::string_view name) {
  if (ignored_depth_ != 0) return;
  if (in_metadata_) {
    OnMetadataKey(name);
  } else {
    OnRootKey(name);
  }
}

void MessageReader::OnRootKey(std::string_view name) {
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
  } else if (takes_key_ && name == "idempotency_key") {
    member_ = Member::kKey;
    seen = &seen_key_;
  } else {
    return OnUnknownMember(name);
  }
  if (*seen) {
    Add(Pointer(), "duplicate-member", "The member occurs more than once.");
    member_ = Member::kUnknown;
  }
  *seen = true;
}

void MessageReader::OnUnknownMember(std::string_view name) {
  member_ = Member::kUnknown;
  std::string pointer;
  if (name.size() <= kMemberNameBytesMax) AppendPointerToken(pointer, name);
  Add(pointer, "unknown-member",
      takes_key_
          ? "Members are sender_number, message_body, metadata and idempotency_key; there is "
            "no other."
          : "Members are sender_number, message_body and metadata; there is no other.");
}

void MessageReader::OnMetadataKey(std::string_view name) {
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

void MessageReader::OnWrongType(std::string_view wanted) {
  Add(Pointer(), "wrong-type", StrCat("The value must be ", wanted, "."));
}

void MessageReader::OnScalar(Type type, std::string_view text) {
  if (ignored_depth_ != 0) return;
  if (in_metadata_) {
    OnMetadataScalar(type, text);
  } else if (depth_ == 0 || member_ == Member::kMetadata) {
    OnWrongType("an object");
  } else if (member_ != Member::kUnknown) {
    OnWrongType("a string");
  }
}

void MessageReader::OnMetadataScalar(Type type, std::string_view text) {
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

void MessageReader::OnString(std::string_view value) {
  if (ignored_depth_ != 0) return;
  if (in_metadata_) {
    OnMetadataString(value);
  } else if (depth_ == 0 || member_ == Member::kMetadata) {
    OnWrongType("an object");
  } else if (member_ == Member::kKey) {
    OnIdempotencyKey(value);
  } else {
    OnRequiredString(value);
  }
}

void MessageReader::OnIdempotencyKey(std::string_view value) {
  if (!IsIdempotencyKey(value)) {
    Add(Pointer(), "invalid-idempotency-key",
        StrCat("The key must have 1 to ", kIdempotencyKeyBytesMax,
               " characters, all of them visible ASCII."));
  }
  out_.request.idempotency_key = value;
}

void MessageReader::OnRequiredString(std::string_view value) {
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

void MessageReader::OnMetadataString(std::string_view value) {
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

void MessageReader::AppendMetadataName() {
  std::string& json = out_.request.metadata_json;
  if (json.size() > 1) json.push_back(',');
  AppendJsonString(json, metadata_name_);
  json.push_back(':');
}

void MessageReader::OnStart(bool object) {
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

void MessageReader::OnEnd() {
  if (depth_ == ignored_depth_) {
    ignored_depth_ = 0;
  } else if (depth_ == 2 && in_metadata_ && ignored_depth_ == 0) {
    in_metadata_ = false;
    out_.request.metadata_json.push_back('}');
  }
  --depth_;
}

void MessageReader::Finish() {
  if (root_is_object_) {
    if (!seen_number_) Add("/sender_number", "required", "The member is missing.");
    if (!seen_body_) Add("/message_body", "required", "The member is missing.");
  }
  if (out_.request.metadata_json.size() > kMetadataBytesMax) {
    Add("/metadata", "too-large",
        StrCat("Written without blanks, it has more than ", kMetadataBytesMax, " bytes."));
  }
  out_.problem = violations_.Take();
}

}  // namespace postern::edge

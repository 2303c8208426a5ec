#include "edge_proxy/list_request.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "edge_proxy/limits.h"
#include "edge_proxy/message_rules.h"
#include "edge_proxy/status_view.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/crypto/hash.h"

namespace postern::edge {
namespace {

// Nullopt for a percent sign without two hexadecimal digits behind it.
std::optional<std::string> Decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    const auto byte = HexDecode(text.substr(i + 1, 2));
    if (!byte.ok() || byte->size() != 1) return std::nullopt;
    decoded.append(*byte);
    i += 2;
  }
  return decoded;
}

class ListReader {
 public:
  explicit ListReader(ParsedList& out) : out_(out) {}

  void Take(std::string_view name, std::string_view encoded) {
    const auto reader = Reader(name);
    if (reader == nullptr) {
      return Add("", "unknown-parameter",
                 "Parameters are limit, cursor, status, from, until, sender_number and client_ref; "
                 "there is no other.");
    }
    if (!seen_.insert(std::string(name)).second) {
      return Add(name, "duplicate-parameter", "The parameter occurs more than once.");
    }
    const std::optional<std::string> value = Decode(encoded);
    if (!value.has_value() || value->empty()) {
      return Add(name, "malformed", "The value is empty, or its percent-encoding is broken.");
    }
    (this->*reader)(*value);
  }

  void Finish() {
    const v1::ListMessagesRequest& query = out_.request.query;
    if (query.accepted_from_us() > 0 && query.accepted_until_us() > 0 &&
        query.accepted_from_us() >= query.accepted_until_us()) {
      Add("until", "out-of-range", "The value must be later than from.");
    }
    if (violations_.empty()) return;
    Problem problem;
    problem.code = ProblemCode::kInvalidParameter;
    problem.detail = StrCat(violations_.size(), " violation(s); errors lists them all.");
    problem.errors = std::move(violations_);
    out_.problem = std::move(problem);
  }

 private:
  using Read = void (ListReader::*)(const std::string&);

  static Read Reader(std::string_view name) {
    if (name == "limit") return &ListReader::TakeLimit;
    if (name == "cursor") return &ListReader::TakeCursor;
    if (name == "status") return &ListReader::TakeStatus;
    if (name == "from") return &ListReader::TakeFrom;
    if (name == "until") return &ListReader::TakeUntil;
    if (name == "sender_number") return &ListReader::TakeNumber;
    if (name == "client_ref") return &ListReader::TakeClientRef;
    return nullptr;
  }

  void TakeLimit(const std::string& value) {
    std::int32_t limit = 0;
    if (!absl::SimpleAtoi(value, &limit) || limit < 1 || limit > kListLimitMax) {
      return Add("limit", "out-of-range",
                 StrCat("The value must be a whole number from 1 to ", kListLimitMax, "."));
    }
    out_.request.query.set_page_size(limit);
  }
  void TakeCursor(const std::string& value) { out_.request.cursor = value; }
  void TakeStatus(const std::string& value) {
    for (const absl::string_view name : absl::StrSplit(value, ',')) {
      const auto state = StateOfName(ToStd(name));
      if (!state.has_value()) {
        return Add("status", "unknown-status",
                   "The value must be one or more of queued, retrying, delivered and dead, with "
                   "commas between them.");
      }
      out_.request.query.add_states(*state);
    }
  }
  void TakeFrom(const std::string& value) {
    if (const auto micros = TimeOf("from", value); micros.has_value()) {
      out_.request.query.set_accepted_from_us(*micros);
    }
  }
  void TakeUntil(const std::string& value) {
    if (const auto micros = TimeOf("until", value); micros.has_value()) {
      out_.request.query.set_accepted_until_us(*micros);
    }
  }
  void TakeNumber(const std::string& value) {
    if (!IsE164(value)) {
      return Add("sender_number", "invalid-sender",
                 "The value must be a number in E.164, with its plus sign.");
    }
    out_.request.query.set_sender_number(value);
  }
  void TakeClientRef(const std::string& value) {
    if (!IsClientRef(value)) {
      return Add("client_ref", "invalid-client-ref",
                 StrCat("The value must have at most ", kClientRefBytesMax,
                        " characters, all of them visible ASCII."));
    }
    out_.request.query.set_client_ref(value);
  }

  std::optional<std::int64_t> TimeOf(std::string_view name, const std::string& value) {
    const auto micros = ParseRfc3339(value);
    if (micros.ok() && *micros > 0) return *micros;
    Add(name, "invalid-timestamp",
        "The value must be a date and time with offset as in RFC 3339, after 1970.");
    return std::nullopt;
  }

  void Add(std::string_view parameter, std::string_view code, std::string detail) {
    if (violations_.size() >= kViolationsMax) return;
    Violation violation;
    violation.parameter = parameter;
    violation.code = code;
    violation.detail = std::move(detail);
    violations_.push_back(std::move(violation));
  }

  ParsedList& out_;
  std::set<std::string> seen_;
  std::vector<Violation> violations_;
};

}  // namespace

ParsedList ParseListRequest(std::string_view query) {
  ParsedList out;
  ListReader reader(out);
  for (const absl::string_view pair : absl::StrSplit(ToAbsl(query), '&', absl::SkipEmpty())) {
    const std::size_t equals = std::min(pair.find('='), pair.size());
    reader.Take(ToStd(pair.substr(0, equals)),
                ToStd(pair.substr(std::min(equals + 1, pair.size()))));
  }
  reader.Finish();
  // Every filter but the size of the page: that one may change on the way.
  v1::ListMessagesRequest filter = out.request.query;
  filter.clear_page_size();
  std::sort(filter.mutable_states()->begin(), filter.mutable_states()->end());
  out.request.filter = filter.SerializeAsString();
  return out;
}

std::string MakeCursor(KeyedHasher& hasher, std::string_view client_id, std::string_view filter,
                       std::string_view place) {
  std::string cursor = hasher.CursorTag(client_id, filter, place);
  cursor.append(place);
  return absl::WebSafeBase64Escape(cursor);
}

std::optional<std::string> PlaceOf(KeyedHasher& hasher, std::string_view client_id,
                                   std::string_view filter, std::string_view cursor) {
  std::string decoded;
  if (!absl::WebSafeBase64Unescape(ToAbsl(cursor), &decoded)) return std::nullopt;
  if (decoded.size() <= KeyedHasher::kBytes) return std::nullopt;
  const std::string place = decoded.substr(KeyedHasher::kBytes);
  decoded.resize(KeyedHasher::kBytes);
  if (!crypto::ConstantTimeEqual(decoded, hasher.CursorTag(client_id, filter, place))) {
    return std::nullopt;
  }
  return place;
}

}  // namespace postern::edge

#include "services/common/redis/reply.h"

#include <array>
#include <string>

#include "services/common/base/strings.h"

namespace postern::redis {
namespace {

struct CodeRow {
  std::string_view code;
  absl::StatusCode status;
};

constexpr std::array<CodeRow, 15> kCodes{{
    {"NOGROUP", absl::StatusCode::kNotFound},
    {"NOSCRIPT", absl::StatusCode::kNotFound},
    {"UNBLOCKED", absl::StatusCode::kNotFound},
    {"OOM", absl::StatusCode::kUnavailable},
    {"MISCONF", absl::StatusCode::kUnavailable},
    {"BUSY", absl::StatusCode::kUnavailable},
    {"LOADING", absl::StatusCode::kUnavailable},
    {"READONLY", absl::StatusCode::kUnavailable},
    {"MASTERDOWN", absl::StatusCode::kUnavailable},
    {"CLUSTERDOWN", absl::StatusCode::kUnavailable},
    {"TRYAGAIN", absl::StatusCode::kUnavailable},
    {"NOAUTH", absl::StatusCode::kPermissionDenied},
    {"WRONGPASS", absl::StatusCode::kPermissionDenied},
    {"NOPERM", absl::StatusCode::kPermissionDenied},
    {"BUSYGROUP", absl::StatusCode::kAlreadyExists},
}};

absl::StatusCode CodeOf(std::string_view text) {
  const std::string_view code = text.substr(0, text.find(' '));
  for (const CodeRow& row : kCodes) {
    if (row.code == code) return row.status;
  }
  // XGROUP CREATE without MKSTREAM, XINFO and XGROUP DELCONSUMER have no code of their own for
  // this.
  if (text.find("no such key") != text.npos || text.find("key to exist") != text.npos) {
    return absl::StatusCode::kNotFound;
  }
  return absl::StatusCode::kInternal;
}

}  // namespace

absl::Status Reply::ToStatus() const {
  if (!IsError()) return absl::OkStatus();
  // For unknown commands Redis repeats the arguments, which hold what was to be stored.
  const std::string_view text = this->text().substr(0, this->text().find(", with args"));
  return absl::Status(CodeOf(text), ToAbsl(text));
}

std::vector<Reply> Reply::Elements() const {
  std::vector<Reply> elements;
  if (!IsArray()) return elements;
  elements.reserve(raw_->elements);
  for (std::size_t i = 0; i < raw_->elements; ++i) elements.emplace_back(raw_, raw_->element[i]);
  return elements;
}

}  // namespace postern::redis

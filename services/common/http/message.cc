#include "services/common/http/message.h"

namespace postern::http {

std::optional<std::string_view> Request::Field(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (field == name) return value;
  }
  return std::nullopt;
}

}  // namespace postern::http

#include "services/ctl/json.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

namespace postern::ctl {
namespace {

std::string Convert(const google::protobuf::Message& message, bool indented) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  options.add_whitespace = indented;
  std::string json;
  // Only messages with Any fields of unknown types can fail; there are none.
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return json;
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) { return Convert(message, true); }

std::string CheckJson(const std::string& file, const std::string& status, const std::string& detail,
                      std::int64_t not_after_us) {
  const nlohmann::json json = {{"file", file},
                               {"status", status},
                               {"detail", detail},
                               {"not_after_us", std::to_string(not_after_us)}};
  return json.dump(1) + "\n";
}

JsonListWriter::JsonListWriter(std::ostream& out, std::string_view name) : out_(out) {
  out_ << "{\"" << name << "\": [";
}

void JsonListWriter::Add(const google::protobuf::Message& item) {
  out_ << (empty_ ? "\n  " : ",\n  ") << Convert(item, false);
  empty_ = false;
}

void JsonListWriter::End(std::string_view next_page_token) {
  out_ << (empty_ ? "]" : "\n]")
       << ", \"next_page_token\": " << nlohmann::json(std::string(next_page_token)).dump() << "}\n";
}

}  // namespace postern::ctl

#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

namespace postern::ctl {

// The protobuf JSON mapping with the names of the .proto files, unset fields included. Int64 values
// are strings, as the mapping has it.
std::string ToJson(const google::protobuf::Message& message);

// `{"file": …, "status": …, "detail": …, "not_after_us": …}`, as `cert check` answers.
std::string CheckJson(const std::string& file, const std::string& status, const std::string& detail,
                      std::int64_t not_after_us);

// Writes `{"<name>": [ … ], "next_page_token": "…"}` item by item, so that a long list takes no
// memory.
class JsonListWriter {
 public:
  JsonListWriter(std::ostream& out, std::string_view name);
  void Add(const google::protobuf::Message& item);
  void End(std::string_view next_page_token);

 private:
  std::ostream& out_;
  bool empty_ = true;
};

}  // namespace postern::ctl

#pragma once

#include <google/protobuf/message.h>

#include <ostream>
#include <string>
#include <string_view>

namespace postern::ctl {

// The protobuf JSON mapping with the names of the .proto files, unset fields included. Int64 values
// are strings, as the mapping has it.
std::string ToJson(const google::protobuf::Message& message);

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

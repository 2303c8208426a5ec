#pragma once

#include <map>
#include <string>
#include <vector>

namespace postern::config {

// One key's value as a YAML document gives it.
struct YamlValue {
  int line = 0;  // From 1.
  bool is_list = false;
  bool is_section = false;          // A map: `values` is empty.
  std::vector<std::string> values;  // One for a scalar; none for a key without a value.
};

// What a YAML document says, by dotted key. Sections are listed too, and empty keys.
struct YamlDocument {
  std::map<std::string, YamlValue> values;
  // `file:line: key: reason`, a fault each: syntax, keys given twice, lists of something else than
  // scalars.
  std::vector<std::string> errors;
};

// `name` stands for the file in errors. Never throws.
YamlDocument ReadYaml(const std::string& name, const std::string& yaml);

}  // namespace postern::config

#include "services/common/config/yaml_values.h"

#include <yaml-cpp/yaml.h>

#include <utility>

#include "services/common/base/strings.h"

namespace postern::config {
namespace {

int LineOf(const YAML::Node& node) { return node.Mark().line + 1; }

// Turns nodes into dotted keys. The document's depth bounds the recursion: yaml-cpp refuses deep
// ones itself.
class Flattener {
 public:
  Flattener(const std::string& name, YamlDocument& document) : name_(name), document_(document) {}

  void AddMap(const std::string& prefix, const YAML::Node& map) {
    for (const auto& member : map) {
      if (!member.first.IsScalar()) {
        AddError(LineOf(member.first), prefix, "a key has to be a plain word");
        continue;
      }
      const std::string& word = member.first.Scalar();
      Add(prefix.empty() ? word : StrCat(prefix, ".", word), LineOf(member.first), member.second);
    }
  }

 private:
  void Add(const std::string& key, int line, const YAML::Node& node) {
    YamlValue value;
    value.line = line;
    if (node.IsScalar()) {
      value.values.push_back(node.Scalar());
    } else if (node.IsMap()) {
      value.is_section = true;
    } else if (node.IsSequence()) {
      value.is_list = true;
      for (const YAML::Node& item : node) {
        if (!item.IsScalar()) {
          AddError(LineOf(item), key, "a list here holds plain values only");
          return;
        }
        value.values.push_back(item.Scalar());
      }
    }
    if (!document_.values.emplace(key, std::move(value)).second) {
      AddError(line, key, "given twice");
      return;
    }
    if (node.IsMap()) AddMap(key, node);
  }

  void AddError(int line, const std::string& key, const std::string& reason) {
    document_.errors.push_back(StrCat(name_, ":", line, ": ", key, ": ", reason));
  }

  const std::string& name_;
  YamlDocument& document_;
};

}  // namespace

YamlDocument ReadYaml(const std::string& name, const std::string& yaml) {
  YamlDocument document;
  try {
    const YAML::Node root = YAML::Load(yaml);
    if (root.IsMap()) {
      Flattener(name, document).AddMap("", root);
    } else if (!root.IsNull()) {
      document.errors.push_back(StrCat(name, ":1: the document has to be a map of keys"));
    }
  } catch (const YAML::Exception& error) {
    document.errors.push_back(StrCat(name, ":", error.mark.line + 1, ": ", error.msg));
  }
  return document;
}

}  // namespace postern::config

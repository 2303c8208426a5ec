#include "services/common/config/config.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/config/yaml_values.h"

namespace postern::config {
namespace {

constexpr std::string_view kEnvironmentPrefix = "POSTERN_";

std::string EnvironmentName(const std::string& key) {
  return StrCat(kEnvironmentPrefix, absl::StrReplaceAll(absl::AsciiStrToUpper(key), {{".", "__"}}));
}

std::int64_t MillisPerUnit(const std::string& key) {
  return absl::EndsWith(key, "_seconds") ? 1000 : 1;
}

// Empty when `text` is an integer within the bounds, which is then in `value`; else what is wrong.
std::string ParseBounded(const std::string& text, std::int64_t min, std::int64_t max,
                         std::int64_t* value) {
  if (!absl::SimpleAtoi(text, value)) return "not an integer";
  if (*value < min || *value > max) return StrCat("not between ", min, " and ", max);
  return "";
}

}  // namespace

struct Schema::Key {
  std::string name;
  std::string type;
  std::string bounds;
  std::string description;
  bool is_list = false;
  bool is_path = false;
  bool required = false;
  std::string source = "default";
  // Sets the target from one text, or from any number of them for a list. Gives what is wrong, or
  // nothing.
  std::function<std::string(const std::vector<std::string>&)> set;
  // The target's value as text.
  std::function<std::string()> print;
};

void Schema::Int(std::string key, std::int64_t* target, std::int64_t min, std::int64_t max,
                 std::string description) {
  auto entry = std::make_shared<Key>();
  entry->name = std::move(key);
  entry->type = "integer";
  entry->bounds = StrCat(min, " to ", max);
  entry->description = std::move(description);
  entry->set = [target, min, max](const std::vector<std::string>& texts) {
    std::int64_t value = 0;
    std::string fault = ParseBounded(texts.front(), min, max, &value);
    if (fault.empty()) *target = value;
    return fault;
  };
  entry->print = [target] { return StrCat(*target); };
  keys_.push_back(std::move(entry));
}

void Schema::Duration(std::string key, std::chrono::milliseconds* target,
                      std::chrono::milliseconds min, std::chrono::milliseconds max,
                      std::string description) {
  const std::int64_t unit = MillisPerUnit(key);
  const std::int64_t low = min.count() / unit;
  const std::int64_t high = max.count() / unit;
  auto entry = std::make_shared<Key>();
  entry->name = std::move(key);
  entry->type = unit == 1 ? "milliseconds" : "seconds";
  entry->bounds = StrCat(low, " to ", high);
  entry->description = std::move(description);
  entry->set = [target, unit, low, high](const std::vector<std::string>& texts) {
    std::int64_t value = 0;
    std::string fault = ParseBounded(texts.front(), low, high, &value);
    if (fault.empty()) *target = std::chrono::milliseconds(value * unit);
    return fault;
  };
  entry->print = [target, unit] { return StrCat(target->count() / unit); };
  keys_.push_back(std::move(entry));
}

void Schema::Bool(std::string key, bool* target, std::string description) {
  auto entry = std::make_shared<Key>();
  entry->name = std::move(key);
  entry->type = "boolean";
  entry->bounds = "true, false";
  entry->description = std::move(description);
  entry->set = [target](const std::vector<std::string>& texts) -> std::string {
    if (texts.front() != "true" && texts.front() != "false") return "neither true nor false";
    *target = texts.front() == "true";
    return "";
  };
  entry->print = [target] { return std::string(*target ? "true" : "false"); };
  keys_.push_back(std::move(entry));
}

void Schema::String(std::string key, std::string* target, Presence presence,
                    std::string description) {
  auto entry = std::make_shared<Key>();
  entry->name = std::move(key);
  entry->type = "string";
  entry->required = presence == Presence::kRequired;
  entry->description = std::move(description);
  entry->set = [target](const std::vector<std::string>& texts) {
    *target = texts.front();
    return std::string();
  };
  entry->print = [target] { return *target; };
  keys_.push_back(std::move(entry));
}

void Schema::Choice(std::string key, std::string* target, std::vector<std::string> allowed,
                    std::string description) {
  auto entry = std::make_shared<Key>();
  entry->name = std::move(key);
  entry->type = "choice";
  entry->bounds = absl::StrJoin(allowed, ", ");
  entry->description = std::move(description);
  entry->set = [target, allowed = std::move(allowed)](const std::vector<std::string>& texts) {
    if (std::find(allowed.begin(), allowed.end(), texts.front()) == allowed.end()) {
      return StrCat("not one of ", absl::StrJoin(allowed, ", "));
    }
    *target = texts.front();
    return std::string();
  };
  entry->print = [target] { return *target; };
  keys_.push_back(std::move(entry));
}

void Schema::Path(std::string key, std::string* target, Presence presence,
                  std::string description) {
  String(std::move(key), target, presence, std::move(description));
  keys_.back()->type = "path";
  keys_.back()->is_path = true;
}

void Schema::StringList(std::string key, std::vector<std::string>* target, Presence presence,
                        std::string description) {
  auto entry = std::make_shared<Key>();
  entry->name = std::move(key);
  entry->type = "list of strings";
  entry->is_list = true;
  entry->required = presence == Presence::kRequired;
  entry->description = std::move(description);
  entry->set = [target](const std::vector<std::string>& texts) {
    *target = texts;
    return std::string();
  };
  entry->print = [target] { return absl::StrJoin(*target, ","); };
  keys_.push_back(std::move(entry));
}

absl::Status Schema::Load(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  return LoadText(path, *text);
}

namespace {

// Empty unless the YAML value has the wrong shape for its key.
std::string ShapeFault(const YamlValue& value, bool list_wanted) {
  if (value.is_section) return "takes a value, not a section";
  if (value.is_list && !list_wanted) return "takes one value, not a list";
  if (!value.is_list && list_wanted) return "takes a list";
  if (!value.is_list && value.values.empty()) return "has no value";
  return "";
}

// The names of all sections: `redis` for `redis.port`.
std::set<std::string> SectionsOf(const std::string& key) {
  std::set<std::string> sections;
  for (std::size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
    sections.insert(key.substr(0, dot));
  }
  return sections;
}

// Unknown keys, the outermost unknown name of each.
std::vector<std::string> UnknownKeys(const std::string& name, const YamlDocument& document,
                                     const std::set<std::string>& known,
                                     const std::set<std::string>& sections) {
  std::vector<std::string> errors;
  std::string reported;
  for (const auto& [key, value] : document.values) {
    if (known.contains(key)) continue;
    if (!reported.empty() && absl::StartsWith(key, StrCat(reported, "."))) continue;
    const bool is_section = sections.contains(key);
    if (is_section && (value.is_section || value.values.empty())) continue;
    errors.push_back(StrCat(name, ":", value.line, ": ", key, ": ",
                            is_section ? "is a section, not a value" : "unknown key"));
    reported = key;
  }
  return errors;
}

}  // namespace

absl::Status Schema::LoadText(const std::string& name, const std::string& yaml) {
  const YamlDocument document = ReadYaml(name, yaml);
  std::vector<std::string> errors = document.errors;
  std::set<std::string> known;
  std::set<std::string> sections;
  for (const auto& key : keys_) {
    known.insert(key->name);
    sections.merge(SectionsOf(key->name));
  }
  for (std::string& error : UnknownKeys(name, document, known, sections)) {
    errors.push_back(std::move(error));
  }

  const std::filesystem::path folder = std::filesystem::path(name).parent_path();
  for (const auto& key : keys_) {
    if (const auto found = document.values.find(key->name); found != document.values.end()) {
      const YamlValue& value = found->second;
      std::string fault = ShapeFault(value, key->is_list);
      if (fault.empty()) fault = key->set(value.values);
      if (!fault.empty()) {
        errors.push_back(StrCat(name, ":", value.line, ": ", key->name, ": ", fault));
      }
      key->source = "file";
    }
    const std::string variable = EnvironmentName(key->name);
    if (const char* text = std::getenv(variable.c_str()); text != nullptr) {
      const std::vector<std::string> values =
          key->is_list ? absl::StrSplit(text, ',', absl::SkipWhitespace())
                       : std::vector<std::string>{text};
      if (const std::string fault = key->set(values); !fault.empty()) {
        errors.push_back(StrCat("environment: ", key->name, ": ", variable, " is ", fault));
      }
      key->source = "environment";
    }
    const std::string value = key->print();
    if (key->required && value.empty()) {
      errors.push_back(StrCat(name, ": ", key->name, ": is required"));
    }
    if (key->is_path && !value.empty()) {
      key->set({(folder / value).lexically_normal().string()});
    }
  }
  if (errors.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
}

std::string Schema::Print() const {
  std::string text;
  for (const auto& key : keys_) {
    StrAppend(&text, key->name, ": ", key->print(), "  # ", key->source, "\n");
  }
  return text;
}

std::string Schema::Document() const {
  std::string text = "| Key | Type | Default | Allowed | Description |\n|---|---|---|---|---|\n";
  for (const auto& key : keys_) {
    const std::string value = key->print();
    const std::string shown =
        key->required ? "(required)" : (value.empty() ? "" : StrCat("`", value, "`"));
    StrAppend(&text, "| `", key->name, "` | ", key->type, " | ", shown, " | ", key->bounds, " | ",
              key->description, " |\n");
  }
  return text;
}

}  // namespace postern::config

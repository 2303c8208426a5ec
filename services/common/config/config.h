#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace postern::config {

// The keys of one program's configuration, each declared once and bound to the variable that it
// sets. Precedence: environment, then file, then the variable's value at the time of its
// declaration (the default). Load once at start, before threads.
//
//   config::Schema schema;
//   schema.Int("redis.port", &settings.redis_port, 1, 65535, "Port of the Redis server.");
//   absl::Status status = schema.Load(path);
//
// A key `redis.port` is `port:` under `redis:` in YAML, and `POSTERN_REDIS__PORT` in the
// environment. Unknown keys, wrong types and values out of bounds are errors; all of them are
// reported in one status, a line each as `file:line: key: reason`. Units end the key's name: `_ms`,
// `_seconds`, `_bytes`, `_mib`.
class Schema {
 public:
  void Int(std::string key, std::int64_t* target, std::int64_t min, std::int64_t max,
           std::string description);
  // For chrono targets the key's suffix tells the unit: `_ms` or `_seconds`.
  void Duration(std::string key, std::chrono::milliseconds* target, std::chrono::milliseconds min,
                std::chrono::milliseconds max, std::string description);
  void Bool(std::string key, bool* target, std::string description);
  // `required`: an empty value is an error.
  enum class Presence { kOptional, kRequired };
  void String(std::string key, std::string* target, Presence presence, std::string description);
  // One of `allowed`.
  void Choice(std::string key, std::string* target, std::vector<std::string> allowed,
              std::string description);
  // A path, taken relative to the configuration file's folder unless absolute.
  void Path(std::string key, std::string* target, Presence presence, std::string description);
  // A list of strings; in the environment separated by commas.
  void StringList(std::string key, std::vector<std::string>* target, Presence presence,
                  std::string description);

  // Reads the file, then the environment. InvalidArgument with every fault, NotFound when there is
  // no such file.
  absl::Status Load(const std::string& path);
  // As Load, from a text: `name` stands for the file in errors, its folder for relative paths.
  absl::Status LoadText(const std::string& name, const std::string& yaml);

  // `key: value  # default|file|environment`, a line each, in order of declaration. Secrets are
  // never values here: they are read from the files that keys ending in `_file` name.
  std::string Print() const;
  // A Markdown table of key, type, default, bounds, description. Call before Load.
  std::string Document() const;

 private:
  struct Key;
  std::vector<std::shared_ptr<Key>> keys_;
};

}  // namespace postern::config

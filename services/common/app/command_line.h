#pragma once

#include <optional>
#include <string>
#include <vector>

namespace postern::app {

// What a daemon's command line asks for. The same for every daemon: --config PATH, --check-config,
// --print-config,
// --version, --help.
struct CommandLine {
  std::string config_path;
  bool check_config = false;
  bool print_config = false;
};

// An option of one daemon, without a value.
struct Flag {
  std::string name;  // Such as `--allow-unsafe-queue`.
  std::string description;
  bool* value = nullptr;  // Set to true when it is there.
};

// Parses, or prints (help, version, an error) and gives the exit code instead: 0, or 2 for a wrong
// use.
struct ParsedCommandLine {
  std::optional<int> exit_code;
  CommandLine command_line;
};
ParsedCommandLine ParseCommandLine(int argc, char** argv, const std::string& program,
                                   const std::string& purpose,
                                   const std::string& default_config_path,
                                   const std::vector<Flag>& flags = {});

}  // namespace postern::app

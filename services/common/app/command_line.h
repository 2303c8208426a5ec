#pragma once

#include <optional>
#include <string>

namespace postern::app {

// What a daemon's command line asks for. The same for every daemon: --config PATH, --check-config,
// --print-config,
// --version, --help.
struct CommandLine {
  std::string config_path;
  bool check_config = false;
  bool print_config = false;
};

// Parses, or prints (help, version, an error) and gives the exit code instead: 0, or 2 for a wrong
// use.
struct ParsedCommandLine {
  std::optional<int> exit_code;
  CommandLine command_line;
};
ParsedCommandLine ParseCommandLine(int argc, char** argv, const std::string& program,
                                   const std::string& purpose,
                                   const std::string& default_config_path);

}  // namespace postern::app

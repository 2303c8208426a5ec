#include "services/common/app/command_line.h"

#include <CLI/CLI.hpp>

#include "services/common/base/strings.h"
#include "services/common/base/version.h"

namespace postern::app {
namespace {

constexpr int kExitUsage = 2;

}  // namespace

ParsedCommandLine ParseCommandLine(int argc, char** argv, const std::string& program,
                                   const std::string& purpose,
                                   const std::string& default_config_path,
                                   const std::vector<Flag>& flags) {
  ParsedCommandLine parsed;
  parsed.command_line.config_path = default_config_path;
  CLI::App app(purpose, program);
  app.add_option("--config", parsed.command_line.config_path, "Configuration file (YAML)")
      ->capture_default_str()
      ->type_name("FILE");
  app.add_flag("--check-config", parsed.command_line.check_config,
               "Check the configuration and exit");
  app.add_flag("--print-config", parsed.command_line.print_config,
               "Print the configuration in force, with where each value comes from, and exit");
  for (const Flag& flag : flags) app.add_flag(flag.name, *flag.value, flag.description);
  app.set_version_flag("--version", StrCat(program, " ", Version()));
  app.footer(
      "Each key can be set in the environment: redis.port is POSTERN_REDIS__PORT.\n"
      "Exit status: 0 stopped as asked, 1 failure, 2 wrong usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return parsed;
}

}  // namespace postern::app

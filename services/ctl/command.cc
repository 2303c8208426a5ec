#include "services/ctl/command.h"

#include <utility>

#include "services/common/base/strings.h"
#include "services/common/base/version.h"
#include "services/ctl/exit_code.h"

namespace postern::ctl {
namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  posternctl doctor\n"
    "  posternctl message list --state dead --limit 20\n"
    "  posternctl message get 0192f5a4-11b2-7c3d-8e4f-5a6b7c8d9e0f -o json\n"
    "  posternctl client create acme --domain acme.example --certificate acme.pem\n"
    "  posternctl db migrate --dry-run\n";

}  // namespace

CommandTree::CommandTree(Context& context)
    : context_(context), root_("Operates a Postern deployment.", "posternctl") {
  root_.fallthrough();
  root_.require_subcommand(1);
  root_.set_version_flag("--version", StrCat("posternctl ", Version()));
  root_.footer(StrCat(kExamples, "\n", kExitCodesHelp));
  AddCommonOptions(&root_, true);
}

CLI::App* CommandTree::Noun(const std::string& name, const std::string& description) {
  CLI::App* const noun = root_.add_subcommand(name, description);
  noun->footer(kExitCodesHelp);
  noun->require_subcommand(1);
  return noun;
}

CLI::App* CommandTree::Verb(CLI::App* parent, const std::string& name,
                            const std::string& description, std::string what, Action action) {
  CLI::App* const verb = parent->add_subcommand(name, description);
  verb->footer(kExitCodesHelp);
  verb->callback([this, what = std::move(what), action = std::move(action)] {
    chosen_ = action;
    chosen_what_ = what;
  });
  // On the verb as well, so that its --help shows them. What stands behind the verb wins.
  AddCommonOptions(verb, false);
  return verb;
}

void CommandTree::AddCommonOptions(CLI::App* app, bool with_environment) {
  // CLI11 shows the variable itself where it reads it.
  const auto describe = [with_environment](const char* description, const char* variable) {
    return with_environment ? std::string(description)
                            : StrCat(description, " [env: ", variable, "]");
  };
  const auto finish = [with_environment](CLI::Option* option, const char* variable) {
    option->group("Common options");
    if (with_environment) option->envname(variable);
  };
  Options& options = context_.options();
  constexpr char kConfig[] = "POSTERNCTL_CONFIG";
  finish(app->add_option("--config", options.config_path, describe("Configuration file", kConfig))
             ->type_name("FILE"),
         kConfig);
  constexpr char kOutput[] = "POSTERNCTL_OUTPUT";
  finish(app->add_option("-o,--output", options.output, describe("table or json", kOutput))
             ->check(CLI::IsMember({"table", "json"}))
             ->type_name("FORMAT"),
         kOutput);
  constexpr char kNoHeaders[] = "POSTERNCTL_NO_HEADERS";
  finish(app->add_flag("--no-headers", options.no_headers,
                       describe("Tables without their first line", kNoHeaders)),
         kNoHeaders);
  constexpr char kTimeout[] = "POSTERNCTL_TIMEOUT";
  finish(app->add_option("--timeout", options.timeout_seconds,
                         describe("Seconds that one call may take (10)", kTimeout))
             ->check(CLI::Range(kTimeoutMinSeconds, kTimeoutMaxSeconds))
             ->type_name("SECONDS"),
         kTimeout);
}

}  // namespace postern::ctl

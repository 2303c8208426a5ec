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
  noun->require_subcommand(1);
  return noun;
}

CLI::App* CommandTree::Verb(CLI::App* parent, const std::string& name,
                            const std::string& description, std::string what, Action action) {
  CLI::App* const verb = parent->add_subcommand(name, description);
  verb->callback([this, what = std::move(what), action = std::move(action)] {
    chosen_ = action;
    chosen_what_ = what;
  });
  // On the verb as well, so that its --help shows them. What stands behind the verb wins.
  AddCommonOptions(verb, false);
  return verb;
}

void CommandTree::AddCommonOptions(CLI::App* app, bool with_environment) {
  Options& options = context_.options();
  CLI::Option* const config = app->add_option("--config", options.config_path,
                                              "Configuration file [env: POSTERNCTL_CONFIG]");
  config->type_name("FILE")->group("Common options");
  CLI::Option* const output =
      app->add_option("-o,--output", options.output, "table or json [env: POSTERNCTL_OUTPUT]");
  output->check(CLI::IsMember({"table", "json"}))->type_name("FORMAT")->group("Common options");
  CLI::Option* const headers =
      app->add_flag("--no-headers", options.no_headers,
                    "Tables without their first line [env: POSTERNCTL_NO_HEADERS]");
  headers->group("Common options");
  CLI::Option* const timeout =
      app->add_option("--timeout", options.timeout_seconds,
                      "Seconds that one call may take [env: POSTERNCTL_TIMEOUT]");
  timeout->check(CLI::Range(kTimeoutMinSeconds, kTimeoutMaxSeconds))
      ->type_name("SECONDS")
      ->group("Common options");
  if (!with_environment) return;
  config->envname("POSTERNCTL_CONFIG");
  output->envname("POSTERNCTL_OUTPUT");
  headers->envname("POSTERNCTL_NO_HEADERS");
  timeout->envname("POSTERNCTL_TIMEOUT");
}

}  // namespace postern::ctl

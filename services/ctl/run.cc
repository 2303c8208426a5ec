#include "services/ctl/run.h"

#include <algorithm>
#include <utility>

#include "services/common/base/strings.h"
#include "services/ctl/exit_code.h"
#include "services/ctl/table.h"

namespace postern::ctl {
namespace {

// What, why, what to do.
void Explain(Context& context, const std::string& what, const absl::Status& status) {
  const std::string why = Printable(ToStd(status.message()));
  context.err() << context.Paint("error: ", Context::Colour::kRed);
  if (!what.empty()) context.err() << "cannot " << what << ": ";
  context.err() << (why.empty() ? absl::StatusCodeToString(status.code()) : why) << '\n';
  if (const std::string fix = context.Fix(status); !fix.empty()) {
    context.err() << "  fix: " << fix << '\n';
  }
}

// A word where a command was wanted: CLI11 says only that one is missing.
bool ExplainUnknownCommand(const CLI::App& root, Context& context) {
  const std::vector<std::string> words = root.remaining(true);
  if (words.empty()) return false;
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  std::string names;
  for (const CLI::App* command : app->get_subcommands({})) {
    StrAppend(&names, names.empty() ? "" : ", ", command->get_name());
  }
  if (names.empty()) return false;
  context.err() << "error: there is no command '" << Printable(words.front()) << "' in "
                << app->get_name() << "\n  fix: Use one of " << names << ".\n";
  return true;
}

}  // namespace

void AddAllCommands(CommandTree& tree, Context& context) {
  AddMessageCommands(tree, context);
  AddStatsCommand(tree, context);
  AddUserCommands(tree, context);
  AddClientCommands(tree, context);
  AddKeyCommands(tree, context);
  AddRetentionCommands(tree, context);
  AddAuditCommands(tree, context);
  AddCertificateCommands(tree, context);
  AddAuthorityCommands(tree, context);
  AddLedgerCommand(tree, context);
  AddQueueCommands(tree, context);
  AddDeadCommands(tree, context);
  AddDatabaseCommands(tree, context);
  AddDoctorCommand(tree, context);
}

int Run(std::vector<std::string> arguments, World world) {
  Context context(std::move(world));
  CommandTree tree(context);
  AddAllCommands(tree, context);
  // CLI11 takes them from the back.
  std::reverse(arguments.begin(), arguments.end());
  try {
    tree.root().parse(std::move(arguments));
  } catch (const CLI::RequiredError& error) {
    if (!ExplainUnknownCommand(tree.root(), context)) {
      tree.root().exit(error, context.out(), context.err());
    }
    return static_cast<int>(ExitCode::kUsage);
  } catch (const CLI::ParseError& error) {
    const int code = tree.root().exit(error, context.out(), context.err());
    return static_cast<int>(code == 0 ? ExitCode::kOk : ExitCode::kUsage);
  }
  const absl::Status status = tree.chosen()();
  if (!status.ok()) Explain(context, tree.chosen_what(), status);
  context.out().flush();
  if (!context.out()) {
    context.err() << "error: cannot write the answer\n";
    return static_cast<int>(ExitCode::kFailure);
  }
  return context.exit_code().value_or(static_cast<int>(ExitCodeOf(status)));
}

}  // namespace postern::ctl

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
  context.err() << context.Paint("error: ", Context::Colour::kRed) << "cannot " << what << ": "
                << (why.empty() ? absl::StatusCodeToString(status.code()) : why) << '\n';
  if (const std::string fix = context.Fix(status); !fix.empty()) {
    context.err() << "  fix: " << fix << '\n';
  }
}

}  // namespace

void AddAllCommands(CommandTree& tree, Context& context) {
  AddMessageCommands(tree, context);
  AddClientCommands(tree, context);
  AddLedgerCommand(tree, context);
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
  return static_cast<int>(ExitCodeOf(status));
}

}  // namespace postern::ctl

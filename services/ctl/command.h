#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "services/ctl/context.h"

namespace postern::ctl {

// Collects the command tree: nouns, verbs, and what runs when a verb is chosen.
class CommandTree {
 public:
  using Action = std::function<absl::Status()>;

  explicit CommandTree(Context& context);

  // A group of verbs.
  CLI::App* Noun(const std::string& name, const std::string& description);
  // A command under `parent` (a noun or root()). It has the common options, and runs `action`.
  // `what` is what it tries to do, for the error message: `list messages`.
  CLI::App* Verb(CLI::App* parent, const std::string& name, const std::string& description,
                 std::string what, Action action);

  CLI::App& root() { return root_; }
  // The chosen command's, once parsed.
  const Action& chosen() const { return chosen_; }
  const std::string& chosen_what() const { return chosen_what_; }

 private:
  void AddCommonOptions(CLI::App* app, bool with_environment);

  Context& context_;
  CLI::App root_;
  Action chosen_;
  std::string chosen_what_;
};

// Each adds its commands. Implementations own the variables of their options through the callbacks.
void AddMessageCommands(CommandTree& tree, Context& context);
void AddStatsCommand(CommandTree& tree, Context& context);
void AddLedgerCommand(CommandTree& tree, Context& context);
void AddDeadCommands(CommandTree& tree, Context& context);
void AddQueueCommands(CommandTree& tree, Context& context);
void AddKeyCommands(CommandTree& tree, Context& context);
void AddRetentionCommands(CommandTree& tree, Context& context);
void AddAuditCommands(CommandTree& tree, Context& context);
void AddUserCommands(CommandTree& tree, Context& context);
void AddClientCommands(CommandTree& tree, Context& context);
void AddCertificateCommands(CommandTree& tree, Context& context);
// Those of `cert` that make certificates.
void AddCertificateMakers(CommandTree& tree, CLI::App* noun, Context& context);
void AddAuthorityCommands(CommandTree& tree, Context& context);
void AddDatabaseCommands(CommandTree& tree, Context& context);
void AddDoctorCommand(CommandTree& tree, Context& context);

}  // namespace postern::ctl

#pragma once

#include <string>
#include <vector>

#include "services/ctl/command.h"
#include "services/ctl/context.h"

namespace postern::ctl {

// Adds every command there is.
void AddAllCommands(CommandTree& tree, Context& context);

// Runs one command line (without the program's name); gives the exit code.
int Run(std::vector<std::string> arguments, World world);

}  // namespace postern::ctl

#pragma once

#include <string>

#include "tests/load/generator.h"

namespace postern::load {

// The run's figures as one JSON object, without a line break.
std::string RunJson(const RunSettings& settings, const RunResult& result);

// Runs the generator and prints its figures on stdout: a JSON line, or a table for people. Gives
// the exit code: 1 when the run failed or nothing was acknowledged.
int RunLoad(const RunSettings& settings, bool json);

}  // namespace postern::load

#include "services/common/app/command_line.h"

#include <gtest/gtest.h>

#include <vector>

namespace postern::app {
namespace {

ParsedCommandLine Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "postern-edge");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return ParseCommandLine(static_cast<int>(pointers.size()), pointers.data(), "postern-edge",
                          "Takes messages.", "/etc/postern/edge.yaml");
}

TEST(CommandLineTest, TakesTheDefaultAndTheGivenFile) {
  EXPECT_EQ(Parse({}).command_line.config_path, "/etc/postern/edge.yaml");
  const auto parsed = Parse({"--check-config", "--config", "x.yaml"});
  EXPECT_FALSE(parsed.exit_code.has_value());
  EXPECT_EQ(parsed.command_line.config_path, "x.yaml");
  EXPECT_TRUE(parsed.command_line.check_config);
}

TEST(CommandLineTest, TakesADaemonsOwnFlags) {
  for (const bool given : {false, true}) {
    bool value = false;
    std::vector<std::string> words{"postern-edge"};
    if (given) words.push_back("--allow-unsafe-queue");
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    const auto parsed = ParseCommandLine(static_cast<int>(pointers.size()), pointers.data(),
                                         "postern-edge", "Takes messages.", "edge.yaml",
                                         {{"--allow-unsafe-queue", "Accept all the same", &value}});
    EXPECT_FALSE(parsed.exit_code.has_value());
    EXPECT_EQ(value, given);
  }
}

TEST(CommandLineTest, HelpAndVersionEndWell) {
  EXPECT_EQ(Parse({"--help"}).exit_code, 0);
  testing::internal::CaptureStdout();
  EXPECT_EQ(Parse({"--version"}).exit_code, 0);
  EXPECT_EQ(testing::internal::GetCapturedStdout().rfind("postern-edge ", 0), 0u);
}

TEST(CommandLineTest, WrongUseIsTwo) {
  EXPECT_EQ(Parse({"--nonsense"}).exit_code, 2);
  EXPECT_EQ(Parse({"stray"}).exit_code, 2);
  EXPECT_EQ(Parse({"--config"}).exit_code, 2);
}

}  // namespace
}  // namespace postern::app

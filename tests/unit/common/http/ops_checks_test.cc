#include <gtest/gtest.h>

#include "services/common/http/ops_server.h"

namespace postern::http {
namespace {

Check Make(std::string name, Check::State state, std::string detail) {
  Check check;
  check.name = std::move(name);
  check.state = state;
  check.detail = std::move(detail);
  return check;
}

TEST(ChecksJsonTest, TheWorstStateIsTheStateOfTheWhole) {
  const Check pass = Make("redis", Check::State::kPass, "connected");
  const Check warn = Make("certificate", Check::State::kWarn, "ends in 2 days");
  const Check fail = Make("server", Check::State::kFail, "cannot be reached");
  EXPECT_EQ(ChecksJson({pass}),
            R"({"status":"pass","checks":{"redis":{"status":"pass","detail":"connected"}}})");
  EXPECT_TRUE(ChecksJson({pass, warn}).starts_with(R"({"status":"warn",)"));
  EXPECT_TRUE(ChecksJson({fail, warn, pass}).starts_with(R"({"status":"fail",)"));
  EXPECT_FALSE(AnyFailed({pass, warn}));
  EXPECT_TRUE(AnyFailed({pass, fail}));
}

TEST(ChecksJsonTest, NoChecksPass) {
  EXPECT_EQ(ChecksJson({}), R"({"status":"pass","checks":{}})");
  EXPECT_FALSE(AnyFailed({}));
}

TEST(ChecksJsonTest, ForeignBytesInADetailDoNotFailThePage) {
  EXPECT_NE(ChecksJson({Make("a", Check::State::kFail, "\xff\"\n")}).find(R"(\"\n)"),
            std::string::npos);
}

}  // namespace
}  // namespace postern::http

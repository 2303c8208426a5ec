#include "services/common/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "services/common/base/strings.h"

namespace postern::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    schema_.String("name", &name_, Schema::Presence::kRequired, "Name.");
    schema_.Int("redis.port", &port_, 1, 65535, "Port.");
    schema_.Duration("drain_timeout_ms", &drain_, std::chrono::milliseconds(1),
                     std::chrono::milliseconds(60'000), "Drain.");
    schema_.Duration("age_seconds", &age_, std::chrono::seconds(1), std::chrono::hours(1), "Age.");
    schema_.Bool("unsafe", &unsafe_, "Unsafe.");
    schema_.Choice("log.level", &level_, {"info", "warn"}, "Level.");
    schema_.Path("mesh.key_file", &key_file_, Schema::Presence::kOptional, "Key.");
    schema_.StringList("ops.urls", &urls_, Schema::Presence::kOptional, "URLs.");
  }
  ~ConfigTest() override {
    for (const char* name : {"POSTERN_REDIS__PORT", "POSTERN_NAME", "POSTERN_OPS__URLS"}) {
      ::unsetenv(name);
    }
  }

  std::string ErrorsOf(const std::string& yaml) {
    const absl::Status status = schema_.LoadText("/etc/postern/edge.yaml", yaml);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(ToStd(status.message()));
  }
  void Load(const std::string& yaml) {
    const absl::Status status = schema_.LoadText("/etc/postern/edge.yaml", yaml);
    ASSERT_TRUE(status.ok()) << status;
  }

  Schema schema_;
  std::string name_;
  std::int64_t port_ = 6379;
  std::chrono::milliseconds drain_{5000};
  std::chrono::milliseconds age_{60'000};
  bool unsafe_ = false;
  std::string level_ = "info";
  std::string key_file_;
  std::vector<std::string> urls_;
};

TEST_F(ConfigTest, ReadsEveryType) {
  Load(R"(name: edge
redis:
  port: 6380
drain_timeout_ms: 250
age_seconds: 90
unsafe: true
log: {level: warn}
mesh:
  key_file: keys/edge.key
ops:
  urls: [http://127.0.0.1:1, http://127.0.0.1:2]
)");
  EXPECT_EQ(name_, "edge");
  EXPECT_EQ(port_, 6380);
  EXPECT_EQ(drain_, std::chrono::milliseconds(250));
  EXPECT_EQ(age_, std::chrono::seconds(90));
  EXPECT_TRUE(unsafe_);
  EXPECT_EQ(level_, "warn");
  EXPECT_EQ(key_file_, "/etc/postern/keys/edge.key");
  EXPECT_THAT(urls_, ElementsAre("http://127.0.0.1:1", "http://127.0.0.1:2"));
}

TEST_F(ConfigTest, ReportsAllFaultsAtOnceEachWithItsLine) {
  const std::string errors = ErrorsOf(R"(redis:
  port: 70000
  prot: 6380
drain_timeout_ms: soon
unsafe: yes
log:
  level: loud
mesh: here
ops:
  urls: one
)");
  const std::string file = "/etc/postern/edge.yaml:";
  EXPECT_THAT(errors, AllOf(HasSubstr(file + "2: redis.port: not between 1 and 65535"),
                            HasSubstr(file + "3: redis.prot: unknown key"),
                            HasSubstr(file + "4: drain_timeout_ms: not an integer"),
                            HasSubstr(file + "5: unsafe: neither true nor false"),
                            HasSubstr(file + "7: log.level: not one of info, warn"),
                            HasSubstr(file + "8: mesh: is a section, not a value"),
                            HasSubstr(file + "10: ops.urls: takes a list"),
                            HasSubstr(" name: is required")));
  EXPECT_EQ(port_, 6379) << "a wrong value must not be taken";
}

TEST_F(ConfigTest, AnUnknownSectionIsOneFault) {
  const std::string errors = ErrorsOf("name: edge\nredsi:\n  port: 1\n  host: x\n");
  EXPECT_THAT(errors, AllOf(HasSubstr(":2: redsi: unknown key"), Not(HasSubstr("redsi.port"))));
}

TEST_F(ConfigTest, AKeyGivenTwiceIsAFault) {
  EXPECT_THAT(ErrorsOf("name: edge\nredis:\n  port: 1\n  port: 2\n"),
              HasSubstr(":4: redis.port: given twice"));
}

TEST_F(ConfigTest, AValueWhereASectionIsWantedIsAFaultAndTheOtherWayRound) {
  EXPECT_THAT(ErrorsOf("name: {first: x}\n"), HasSubstr(":1: name: takes a value, not a section"));
}

TEST_F(ConfigTest, BrokenYamlIsAFaultWithItsLine) {
  EXPECT_THAT(ErrorsOf("name: edge\nredis: [1\n"), HasSubstr("/etc/postern/edge.yaml:"));
  EXPECT_THAT(ErrorsOf("- a\n- b\n"), HasSubstr("has to be a map"));
}

TEST_F(ConfigTest, TheEnvironmentWinsOverTheFileAndTheFileOverTheDefault) {
  ::setenv("POSTERN_REDIS__PORT", "7000", 1);
  ::setenv("POSTERN_OPS__URLS", "http://a, http://b", 1);
  Load("name: edge\nredis: {port: 6380}\ndrain_timeout_ms: 10\n");
  EXPECT_EQ(port_, 7000);
  EXPECT_EQ(urls_.size(), 2u);
  EXPECT_THAT(schema_.Print(), AllOf(HasSubstr("redis.port: 7000  # environment\n"),
                                     HasSubstr("drain_timeout_ms: 10  # file\n"),
                                     HasSubstr("age_seconds: 60  # default\n")));
}

TEST_F(ConfigTest, TheEnvironmentCanGiveWhatIsRequired) {
  ::setenv("POSTERN_NAME", "edge-2", 1);
  Load("");
  EXPECT_EQ(name_, "edge-2");
}

TEST_F(ConfigTest, AWrongValueInTheEnvironmentIsNamed) {
  ::setenv("POSTERN_REDIS__PORT", "x", 1);
  EXPECT_THAT(ErrorsOf("name: edge\n"), HasSubstr("POSTERN_REDIS__PORT is not an integer"));
}

TEST_F(ConfigTest, AMissingFileIsNotFound) {
  EXPECT_EQ(schema_.Load("/nonexistent/edge.yaml").code(), absl::StatusCode::kNotFound);
}

TEST_F(ConfigTest, DocumentsDefaultsAndBounds) {
  EXPECT_THAT(schema_.Document(),
              AllOf(HasSubstr("| `redis.port` | integer | `6379` | 1 to 65535 | Port. |"),
                    HasSubstr("| `name` | string | (required) |  | Name. |")));
}

}  // namespace
}  // namespace postern::config

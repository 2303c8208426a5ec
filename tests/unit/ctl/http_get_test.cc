#include "services/ctl/http_get.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/strings.h"
#include "services/common/http/ops_server.h"
#include "tests/support/free_port.h"

namespace postern::ctl {
namespace {

using testing::HasSubstr;

constexpr std::chrono::milliseconds kTimeout{5000};

TEST(HttpGetTest, ReadsAnOperationsPort) {
  metrics::Registry metrics("test");
  http::Check check;
  check.name = "redis";
  check.state = http::Check::State::kFail;
  check.detail = "connection refused";
  http::OpsServer ops(metrics, [&check] { return std::vector<http::Check>{check}; });
  ASSERT_TRUE(ops.Listen("127.0.0.1", 0).ok());
  const std::string url = StrCat("http://127.0.0.1:", ops.port());

  const auto live = HttpGet(url, "/livez", kTimeout);
  ASSERT_TRUE(live.ok()) << live.status();
  EXPECT_EQ(live->status, 200);
  const auto ready = HttpGet(url + "/", "/readyz?verbose", kTimeout);
  ASSERT_TRUE(ready.ok()) << ready.status();
  EXPECT_EQ(ready->status, 503);
  EXPECT_THAT(ready->body, HasSubstr("connection refused"));
  ops.Stop();
}

TEST(HttpGetTest, SaysWhyNobodyAnswers) {
  const auto answer = HttpGet(StrCat("http://127.0.0.1:", test::FreePort()), "/livez", kTimeout);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(ToStd(answer.status().message())), HasSubstr("refused"));
}

TEST(HttpGetTest, RefusesOtherUrls) {
  for (const char* url : {"https://127.0.0.1:1", "http://127.0.0.1", "127.0.0.1:1",
                          "http://127.0.0.1:1/path", "http://:1", ""}) {
    EXPECT_EQ(HttpGet(url, "/livez", kTimeout).status().code(), absl::StatusCode::kInvalidArgument)
        << url;
  }
}

}  // namespace
}  // namespace postern::ctl

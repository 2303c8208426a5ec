#include "edge_proxy/access_log.h"

#include <gtest/gtest.h>

#include "edge_proxy/limits.h"

namespace postern::edge {
namespace {

TEST(AccessLog, SamplesSuccessesAndFailuresApart) {
  AccessLog log;
  constexpr std::int64_t kSecond = 1'000'000;
  AccessLine line;
  line.status = 202;
  int written = 0;
  for (int i = 0; i < 100; ++i) {
    if (!log.Wants(202, 5 * kSecond + i)) continue;
    log.Write(line);
    ++written;
  }
  EXPECT_EQ(written, kAccessLinesPerSecond);
  EXPECT_TRUE(log.Wants(503, 5 * kSecond)) << "a failure is not hidden by successes";
  EXPECT_TRUE(log.Wants(202, 6 * kSecond)) << "the next second has lines of its own";
}

}  // namespace
}  // namespace postern::edge

#include "services/common/exec/bounded_executor.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <future>

namespace postern::exec {
namespace {

TEST(BoundedExecutorTest, RefusesWhatDoesNotFitAndDoesTheRest) {
  BoundedExecutor executor("test", 1, 2);
  std::promise<void> started;
  std::promise<void> release;
  std::atomic<int> done{0};
  ASSERT_TRUE(executor.TrySubmit([&] {
    started.set_value();
    release.get_future().wait();
    ++done;
  }));
  started.get_future().wait();
  EXPECT_TRUE(executor.TrySubmit([&] { ++done; }));
  EXPECT_TRUE(executor.TrySubmit([&] { ++done; }));
  EXPECT_EQ(executor.queued(), 2u);
  EXPECT_FALSE(executor.TrySubmit([&] { ++done; }));
  release.set_value();
  executor.Stop();
  EXPECT_EQ(done, 3);
}

TEST(BoundedExecutorTest, StopDrainsAndThenRefuses) {
  BoundedExecutor executor("test", 3, 1000);
  std::atomic<int> done{0};
  for (int i = 0; i < 1000; ++i) {
    while (!executor.TrySubmit([&] { ++done; })) {
    }
  }
  executor.Stop();
  executor.Stop();
  EXPECT_EQ(done, 1000);
  EXPECT_FALSE(executor.TrySubmit([] {}));
}

TEST(BoundedExecutorTest, LetsGoOfWhatAWorkHoldsOnceItIsDone) {
  BoundedExecutor executor("test", 1, 10);
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  ASSERT_TRUE(executor.TrySubmit([held] {}));
  held.reset();
  std::promise<void> later;
  ASSERT_TRUE(executor.TrySubmit([&] { later.set_value(); }));
  later.get_future().wait();
  EXPECT_TRUE(watch.expired());
}

TEST(BoundedExecutorTest, ItsThreadsAreNamedAndTakeNoSignals) {
  BoundedExecutor executor("database", 1, 10);
  std::promise<std::pair<std::string, bool>> seen;
  ASSERT_TRUE(executor.TrySubmit([&] {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    seen.set_value({name.data(), sigismember(&mask, SIGTERM) == 1});
  }));
  const auto [name, blocked] = seen.get_future().get();
  EXPECT_EQ(name, "database");
  EXPECT_TRUE(blocked);
}

}  // namespace
}  // namespace postern::exec

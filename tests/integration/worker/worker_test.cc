#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "tests/integration/worker/worker_fixture.h"

namespace postern::worker {
namespace {

TEST_F(WorkerTest, DeliversEachMessageOnceAndRemovesIt) {
  auto worker = StartWorker();
  constexpr int kMessages = 3000;
  const auto ids = Enqueue(kMessages);
  ASSERT_TRUE(Eventually([&] { return service_.ReceivedMessages() == kMessages; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(service_.Repeated(), 0);
  EXPECT_LE(service_.LargestBatch(), 256);
  EXPECT_GT(service_.LargestBatch(), 1);
  EXPECT_TRUE(service_.Attempts().empty());
}

TEST_F(WorkerTest, DeliversWhatWasQueuedBeforeItsStart) {
  Enqueue(20);
  auto worker = StartWorker();
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 20; }));
  EXPECT_TRUE(QueueGetsEmpty());
}

TEST_F(WorkerTest, RetriesAfterTheIntervalAndReportsTheAttempt) {
  std::atomic<int> calls{0};
  std::atomic<std::int64_t> first_us{0};
  std::atomic<std::int64_t> second_us{0};
  service_.SetDecide([&](const v1::Delivery&) {
    if (calls++ == 0) {
      first_us = NowMicros();
      return FakeDeliveryService::Outcome(v1::DELIVERY_RESULT_RETRY, "DATA_KEY_UNKNOWN");
    }
    second_us = NowMicros();
    return FakeDeliveryService::Outcome(v1::DELIVERY_RESULT_DELIVERED);
  });
  auto worker = StartQuickWorker();
  const auto ids = Enqueue(1);
  ASSERT_TRUE(Eventually([&] { return calls == 2; }));
  EXPECT_TRUE(QueueGetsEmpty());
  const std::chrono::microseconds pause(second_us - first_us);
  EXPECT_GE(pause, kRetryInterval * 9 / 10);
  EXPECT_LE(pause, kRetryInterval * 2);
  ASSERT_TRUE(Eventually([&] { return !service_.Attempts().empty(); }));
  const auto attempts = service_.Attempts();
  ASSERT_EQ(attempts.size(), 1U);
  EXPECT_EQ(attempts[0].envelope().id(), ids[0]);
  EXPECT_EQ(attempts[0].reason(), "DATA_KEY_UNKNOWN");
  EXPECT_FALSE(attempts[0].position().entry_id().empty());
  const std::int64_t planned = attempts[0].next_attempt_at_us() - attempts[0].attempted_at_us();
  EXPECT_GT(planned, 0);
  EXPECT_LE(std::chrono::microseconds(planned), kRetryInterval);
}

TEST_F(WorkerTest, FailedCallIsAnAttemptOfEachMessage) {
  std::atomic<int> calls{0};
  service_.SetDecideCall([&] {
    return calls++ == 0 ? grpc::Status(grpc::StatusCode::INTERNAL, "") : grpc::Status::OK;
  });
  Enqueue(40);
  auto worker = StartQuickWorker();
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 40; }));
  EXPECT_TRUE(QueueGetsEmpty());
  ASSERT_TRUE(Eventually([&] { return !service_.Attempts().empty(); }));
  for (const auto& attempt : service_.Attempts()) EXPECT_EQ(attempt.reason(), "INTERNAL");
}

TEST_F(WorkerTest, CallThatTakesTooLongIsAnAttempt) {
  std::atomic<int> calls{0};
  service_.SetDecideCall([&] {
    if (calls++ == 0) std::this_thread::sleep_for(kRetryInterval / 2);
    return grpc::Status::OK;
  });
  auto worker = StartQuickWorker();
  Enqueue(1);
  ASSERT_TRUE(Eventually([&] { return !service_.Attempts().empty(); }));
  EXPECT_EQ(service_.Attempts()[0].reason(), "DEADLINE_EXCEEDED");
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(calls, 2);
}

TEST_F(WorkerTest, CallsThatTakeTooLongGetSmallerUntilTheyDoNot) {
  service_.SetInTimeMax(20);
  Enqueue(128);
  auto worker = StartQuickWorker();
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 128; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_LE(service_.LargestBatch(), 20);
}

TEST_F(WorkerTest, SeveralWorkersShareTheQueue) {
  auto one = StartWorker();
  auto two = StartWorker();
  EXPECT_NE(one->consumer(), two->consumer());
  Enqueue(3000);
  ASSERT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 3000; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(service_.Repeated(), 0);
}

// The queue is at least once: whoever lost its claim delivers all the same, and the server makes it
// one.
TEST_F(WorkerTest, EntryHeldTooLongIsTakenOverOnce) {
  server_->Stop();
  auto slow = StartQuickWorker();
  Enqueue(16);
  ASSERT_TRUE(Eventually([&] { return State().pending == 16; }));
  FakeDeliveryService other_service;
  test::FakeServer other_server(other_service, server_files_);
  ASSERT_TRUE(other_server.Start());
  Settings settings = QuickSettings();
  settings.server_target = other_server.target();
  auto other = StartWorker(settings);
  EXPECT_TRUE(Eventually([&] { return other_service.ReceivedMessages() == 16; }));
  EXPECT_TRUE(QueueGetsEmpty());
  ASSERT_TRUE(server_->Start());
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 16; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(other_service.Repeated(), 0);
}

TEST_F(WorkerTest, DeadMessagesAreRemoved) {
  service_.SetDecide([](const v1::Delivery&) {
    return FakeDeliveryService::Outcome(v1::DELIVERY_RESULT_DEAD, "AUTHENTICATION_FAILED");
  });
  auto worker = StartWorker();
  Enqueue(5);
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 5; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_TRUE(service_.Attempts().empty());
}

TEST_F(WorkerTest, RemovesWhatItsReportMadeDead) {
  service_.SetDecide([](const v1::Delivery&) {
    return FakeDeliveryService::Outcome(v1::DELIVERY_RESULT_RETRY, "DATA_KEY_UNKNOWN");
  });
  service_.SetRemoveReported();
  auto worker = StartWorker();
  Enqueue(40);
  EXPECT_TRUE(Eventually([&] { return service_.ReceivedMessages() == 40; }));
  EXPECT_TRUE(QueueGetsEmpty());
  EXPECT_EQ(service_.Attempts().size(), 40U);
}

TEST_F(WorkerTest, UnreadableEntryIsHandedOverAndRemoved) {
  auto worker = StartWorker();
  std::string wire;
  redis::AppendCommand(wire, "XADD", redis::StreamKey(0), "*", "e", "\xff\xff");
  redis::AppendCommand(wire, "XADD", redis::StreamKey(1), "*", "other", "x");
  Commands(std::move(wire), 2);
  ASSERT_TRUE(Eventually([&] { return service_.Unreadable().size() == 2; }));
  EXPECT_THAT(service_.Unreadable(),
              ::testing::UnorderedElementsAre("\xff\xff", std::string("other\0x\0", 8)));
  EXPECT_TRUE(QueueGetsEmpty());
}

}  // namespace
}  // namespace postern::worker

#include "tests/load/comparison.h"

#include <gtest/gtest.h>

#include <string>

#include "services/common/base/encoding.h"

namespace postern::load {
namespace {

// A ledger of one client's attempts and the messages that a faultless system would hold for them.
class ComparisonTest : public testing::Test {
 protected:
  ComparisonTest() {
    AddClient(0, "client-a");
    AddClient(1, "client-b");
  }

  void AddClient(std::uint16_t index, const std::string& client_id) {
    ClientRecord record;
    record.index = index;
    record.client_id = client_id;
    comparison_.AddClient(record);
  }

  static std::string Body(std::uint8_t number) {
    return HexEncode(std::string(16, static_cast<char>(number))) + " text";
  }
  static MessageId Id(std::uint8_t number) {
    MessageId id{};
    id.fill(number);
    return id;
  }

  // Attempt `number` of client 0, answered with `status` (0: not at all).
  void Attempt(std::uint8_t number, std::uint16_t status) {
    AttemptRecord attempt;
    attempt.nonce.fill(number);
    attempt.body_sha256 = Hasher().Hash(Body(number));
    comparison_.AddAttempt(attempt);
    OutcomeRecord outcome;
    outcome.nonce = attempt.nonce;
    outcome.status = status;
    if (status == 202) outcome.id = Id(number);
    comparison_.AddOutcome(outcome);
  }

  static StoredMessage Stored(std::uint8_t number) {
    StoredMessage message;
    message.id = Id(number);
    message.client_id = "client-a";
    message.body = Body(number);
    message.state = StoredMessage::State::kDelivered;
    return message;
  }
  void Store(std::uint8_t number) { comparison_.AddStored(Stored(number)); }

  // Checks the faults, in the order of Verdict.
  void ExpectFaults(std::int64_t lost, std::int64_t duplicated, std::int64_t phantom,
                    std::int64_t corrupt, std::int64_t misattributed) {
    verdict_ = comparison_.Finish();
    EXPECT_EQ(verdict_.lost, lost);
    EXPECT_EQ(verdict_.duplicated, duplicated);
    EXPECT_EQ(verdict_.phantom, phantom);
    EXPECT_EQ(verdict_.corrupt, corrupt);
    EXPECT_EQ(verdict_.misattributed, misattributed);
    EXPECT_EQ(verdict_.Faulty(), lost + duplicated + phantom + corrupt + misattributed > 0);
  }

  Comparison comparison_;
  Verdict verdict_;
};

TEST_F(ComparisonTest, FaultlessIsFaultless) {
  Attempt(1, 202);
  Attempt(2, 202);
  Attempt(3, 503);
  Attempt(4, 0);
  Attempt(5, 422);
  Store(1);
  StoredMessage pending = Stored(2);
  pending.state = StoredMessage::State::kPending;
  comparison_.AddStored(pending);
  ExpectFaults(0, 0, 0, 0, 0);
  EXPECT_EQ(verdict_.attempted, 5);
  EXPECT_EQ(verdict_.acknowledged, 2);
  EXPECT_EQ(verdict_.refused, 2);
  EXPECT_EQ(verdict_.indeterminate, 1);
  EXPECT_EQ(verdict_.delivered, 1);
  EXPECT_EQ(verdict_.pending, 1);
  EXPECT_EQ(verdict_.recovered, 0);
}

TEST_F(ComparisonTest, UnansweredAndUnavailableOnesMayBeStored) {
  Attempt(1, 0);
  Attempt(2, 503);
  Store(1);
  Store(2);
  ExpectFaults(0, 0, 0, 0, 0);
  EXPECT_EQ(verdict_.recovered, 2);
}

TEST_F(ComparisonTest, AttemptWithoutAnyOutcomeIsIndeterminate) {
  AttemptRecord attempt;
  attempt.nonce.fill(1);
  comparison_.AddAttempt(attempt);
  ExpectFaults(0, 0, 0, 0, 0);
  EXPECT_EQ(verdict_.indeterminate, 1);
}

TEST_F(ComparisonTest, AcknowledgedAndNotStoredIsLost) {
  Attempt(1, 202);
  Attempt(2, 202);
  Store(1);
  ExpectFaults(1, 0, 0, 0, 0);
}

TEST_F(ComparisonTest, StoredUnderAnotherIdOnlyIsLost) {
  Attempt(1, 202);
  StoredMessage message = Stored(1);
  message.id = Id(9);
  comparison_.AddStored(message);
  ExpectFaults(1, 0, 0, 0, 0);
}

TEST_F(ComparisonTest, OneNonceUnderTwoIdsIsDuplicated) {
  Attempt(1, 202);
  Store(1);
  StoredMessage twin = Stored(1);
  twin.id = Id(9);
  comparison_.AddStored(twin);
  ExpectFaults(0, 1, 0, 0, 0);
}

TEST_F(ComparisonTest, OneIdTwiceIsDuplicated) {
  Attempt(1, 202);
  Store(1);
  Store(1);
  ExpectFaults(0, 1, 0, 0, 0);
}

TEST_F(ComparisonTest, NeverAttemptedIsAPhantom) {
  Store(1);
  StoredMessage foreign = Stored(2);
  foreign.body = "not from the generator";
  comparison_.AddStored(foreign);
  ExpectFaults(0, 0, 2, 0, 0);
}

TEST_F(ComparisonTest, RefusedForGoodAndStoredIsAPhantom) {
  Attempt(1, 422);
  Store(1);
  ExpectFaults(0, 0, 1, 0, 0);
}

TEST_F(ComparisonTest, AnAlteredBodyIsCorrupt) {
  Attempt(1, 202);
  StoredMessage message = Stored(1);
  message.body.back() = '!';
  comparison_.AddStored(message);
  ExpectFaults(0, 0, 0, 1, 0);
}

TEST_F(ComparisonTest, ABodyThatDoesNotOpenIsCorruptAndNotLost) {
  Attempt(1, 202);
  StoredMessage message = Stored(1);
  message.readable = false;
  message.body.clear();
  comparison_.AddStored(message);
  ExpectFaults(0, 0, 0, 1, 0);
}

TEST_F(ComparisonTest, AnAlteredNonceIsCorruptAndNotLost) {
  Attempt(1, 202);
  StoredMessage message = Stored(1);
  message.body[0] = 'f';
  comparison_.AddStored(message);
  ExpectFaults(0, 0, 0, 1, 0);
}

TEST_F(ComparisonTest, AnotherClientsNameIsMisattributed) {
  Attempt(1, 202);
  StoredMessage message = Stored(1);
  message.client_id = "client-b";
  comparison_.AddStored(message);
  ExpectFaults(0, 0, 0, 0, 1);
}

}  // namespace
}  // namespace postern::load

#include "services/keys/data_key_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/common/crypto/aead.h"
#include "services/common/crypto/envelope_cipher.h"
#include "services/common/db/connection.h"
#include "services/keys/envelope_opener.h"
#include "tests/support/shared_mariadb.h"

namespace postern::keys {
namespace {

using absl::StatusCode;
using namespace std::chrono_literals;

MasterKeys Master(char fill, std::uint32_t version = 1) {
  std::map<std::uint32_t, crypto::Secret> keys;
  keys.emplace(version, crypto::Secret(std::string(32, fill)));
  return MasterKeys(std::move(keys));
}

class DataKeyStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto schema = test::SharedMariaDb::Server().CreateMigratedSchema();
    ASSERT_TRUE(schema.ok()) << schema.status();
    settings_ = test::SharedMariaDb::Server().SettingsFor("postern_server", *schema);
    executor_ = std::make_unique<db::Executor>(settings_, 1, 16, metrics_);
  }

  // A store with an empty memory, as after a restart.
  std::shared_ptr<DataKeyStore> Store(char master = 'm', std::uint32_t version = 1) {
    return std::make_shared<DataKeyStore>(Master(master, version), *executor_, metrics_);
  }

  static absl::StatusOr<NewDataKey> Create(DataKeyStore& store) {
    std::promise<absl::StatusOr<NewDataKey>> promise;
    auto created = promise.get_future();
    EXPECT_TRUE(store.TryCreate("edge/a", Deadline::After(5s),
                                [&](auto key) { promise.set_value(std::move(key)); }));
    return created.get();
  }

  std::int64_t Rows(const std::string& where = "") {
    auto connection = db::Connection::Open(settings_);
    EXPECT_TRUE(connection.ok()) << connection.status();
    std::int64_t rows = -1;
    const absl::Status status =
        (*connection)->Query("SELECT COUNT(*) FROM data_keys" + where, {}, [&](const db::Row& row) {
          rows = row.Int(0);
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return rows;
  }

  metrics::Registry metrics_{"test"};
  db::Settings settings_;
  std::unique_ptr<db::Executor> executor_;
};

TEST_F(DataKeyStoreTest, ACreatedKeyIsInTheTableWrappedAndFoundAfterARestart) {
  const auto created = Create(*Store());
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->key.size(), 32u);
  EXPECT_EQ(Rows(" WHERE created_for = 'edge/a' AND master_key_version = 1"), 1);
  const auto found = Store()->Find(created->id, v1::WrappedDataKey());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->view(), created->key.view());
}

TEST_F(DataKeyStoreTest, EveryCallMakesAnotherKey) {
  const auto store = Store();
  const auto first = Create(*store);
  const auto second = Create(*store);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->id, second->id);
  EXPECT_NE(first->key.view(), second->key.view());
}

TEST_F(DataKeyStoreTest, AdoptsAKeyThatTheTableDoesNotKnow) {
  const Uuid id = Uuid::Random();
  const crypto::Secret key = crypto::Secret::Random(32);
  const v1::WrappedDataKey wrapped = Master('m').Wrap(id, key);
  const auto found = Store()->Find(id, wrapped);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->view(), key.view());
  EXPECT_EQ(Rows(), 1);
  EXPECT_TRUE(Store()->Find(id, v1::WrappedDataKey()).ok());
}

TEST_F(DataKeyStoreTest, ManyThreadsMayAdoptTheSameKey) {
  const Uuid id = Uuid::Random();
  const v1::WrappedDataKey wrapped = Master('m').Wrap(id, crypto::Secret::Random(32));
  const auto store = Store();
  std::atomic<int> found = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { found += store->Find(id, wrapped).ok() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, 8);
  EXPECT_EQ(Rows(), 1);
}

TEST_F(DataKeyStoreTest, AnUnknownKeyAndAWrongMasterKeyAreToldFromAnOutageAndLeaveNoRow) {
  const Uuid id = Uuid::Random();
  EXPECT_EQ(Store()->Find(id, v1::WrappedDataKey()).status().code(),
            StatusCode::kFailedPrecondition);
  const v1::WrappedDataKey foreign = Master('x').Wrap(id, crypto::Secret::Random(32));
  EXPECT_EQ(Store()->Find(id, foreign).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Rows(), 0);
  const auto created = Create(*Store());
  ASSERT_TRUE(created.ok());
  EXPECT_EQ(Store('x')->Find(created->id, created->wrapped).status().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(Store('m', 2)->Find(created->id, created->wrapped).status().code(),
            StatusCode::kFailedPrecondition);
}

TEST_F(DataKeyStoreTest, WhileTheDatabaseIsAwayKeysInMemoryWork) {
  const auto store = Store();
  const auto created = Create(*store);
  ASSERT_TRUE(created.ok());
  test::SharedMariaDb::Server().Stop();
  EXPECT_TRUE(store->Find(created->id, v1::WrappedDataKey()).ok());
  EXPECT_EQ(Store()->Find(created->id, created->wrapped).status().code(), StatusCode::kUnavailable);
  const absl::Status again = test::SharedMariaDb::Server().StartAgain();
  ASSERT_TRUE(again.ok()) << again;
}

class EnvelopeOpenerTest : public DataKeyStoreTest {
 protected:
  void SetUp() override {
    DataKeyStoreTest::SetUp();
    store_ = Store();
    auto created = Create(*store_);
    ASSERT_TRUE(created.ok()) << created.status();
    created_ = *std::move(created);
    auto aead = crypto::Aead::Create(created_.key.view());
    ASSERT_TRUE(aead.ok());
    const auto seal = [&](crypto::EnvelopeField field, std::string_view text) {
      return aead->Seal(text,
                        crypto::EnvelopeAdditionalData(field, created_.id, message_id_, "acme"));
    };
    body_ = seal(crypto::EnvelopeField::kBody, "hello");
    number_ = seal(crypto::EnvelopeField::kNumber, "+14155550123");
  }

  Sealed Message() const {
    Sealed sealed;
    sealed.message_id = message_id_;
    sealed.data_key_id = created_.id;
    sealed.client_id = "acme";
    sealed.encrypted_body = body_;
    sealed.encrypted_number = number_;
    sealed.wrapped_data_key = &created_.wrapped;
    return sealed;
  }
  StatusCode OpenCode(const Sealed& sealed) {
    return EnvelopeOpener(store_, crypto::Secret(std::string(32, 'i')))
        .Open(sealed)
        .status()
        .code();
  }

  const Uuid message_id_ = Uuid::Random();
  std::shared_ptr<DataKeyStore> store_;
  NewDataKey created_;
  std::string body_;
  std::string number_;
};

TEST_F(EnvelopeOpenerTest, OpensBodyAndNumber) {
  EnvelopeOpener opener(store_, crypto::Secret(std::string(32, 'i')));
  const auto opened = opener.Open(Message());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->body, "hello");
  EXPECT_EQ(opened->number, "+14155550123");
}

TEST_F(EnvelopeOpenerTest, WhatWasAlteredOrMovedIsDataLoss) {
  std::string altered = body_;
  altered.back() = static_cast<char>(altered.back() ^ 1);
  Sealed message = Message();
  message.encrypted_body = altered;
  EXPECT_EQ(OpenCode(message), StatusCode::kDataLoss);
  message = Message();
  message.encrypted_body = "short";
  EXPECT_EQ(OpenCode(message), StatusCode::kDataLoss);
  message = Message();
  message.message_id = Uuid::Random();
  EXPECT_EQ(OpenCode(message), StatusCode::kDataLoss);
  message = Message();
  message.client_id = "other";
  EXPECT_EQ(OpenCode(message), StatusCode::kDataLoss);
  message = Message();
  std::swap(message.encrypted_body, message.encrypted_number);
  EXPECT_EQ(OpenCode(message), StatusCode::kDataLoss);
  EXPECT_EQ(OpenCode(Message()), StatusCode::kOk);
}

TEST_F(EnvelopeOpenerTest, AnUnknownKeyIsNotDamage) {
  const v1::WrappedDataKey none;
  Sealed message = Message();
  message.data_key_id = Uuid::Random();
  message.wrapped_data_key = &none;
  EXPECT_EQ(OpenCode(message), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace postern::keys

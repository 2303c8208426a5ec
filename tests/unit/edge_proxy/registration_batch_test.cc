#include "edge_proxy/registration_batch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "postern/v1/registration_service.pb.h"
#include "services/common/base/time.h"

namespace postern::edge {
namespace {

TEST(RegistrationBatch, IsTheSerialisedRequest) {
  UuidV7Generator ids;
  RegistrationBatch batch;
  v1::RegisterMessagesRequest expected;
  std::vector<Uuid> made;
  for (std::uint32_t i = 0; i < 40; ++i) {
    v1::Registration& registration = *expected.add_registrations();
    made.push_back(ids.Next(NowMicros()));
    registration.mutable_envelope()->set_id(std::string(made.back().bytes()));
    registration.mutable_envelope()->set_client_id("acme");
    registration.mutable_envelope()->set_encrypted_body(std::string(i * i * 10, '\x80'));
    registration.mutable_position()->set_shard(i % 16);
    registration.mutable_position()->set_entry_id(std::to_string(1'700'000'000'000 + i) + "-0");
    registration.set_durable_at_us(1'700'000'000'000'000 + i);
    const std::string envelope = registration.envelope().SerializeAsString();
    DurableMessage message{made.back(), i % 16, registration.position().entry_id(), envelope};
    batch.Add(message, registration.durable_at_us());
  }
  v1::RegisterMessagesRequest read;
  ASSERT_TRUE(read.ParseFromString(batch.wire()));
  EXPECT_EQ(read.SerializeAsString(), expected.SerializeAsString());
  EXPECT_EQ(batch.size(), 40U);

  for (int i = 0; i < 40; ++i) {
    const auto found = batch.Find(made[static_cast<std::size_t>(i)]);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->SerializeAsString(), expected.registrations(i).envelope().SerializeAsString());
  }
  EXPECT_FALSE(batch.Find(Uuid::Random()).has_value());
  EXPECT_FALSE(RegistrationBatch().Find(made[0]).has_value());
}

}  // namespace
}  // namespace postern::edge

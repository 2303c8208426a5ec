#include "worker/settings.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::worker {
namespace {

using namespace std::chrono_literals;

constexpr char kComplete[] = R"(
name: worker-7
trust_domain: example.org
mesh: {certificate_file: mesh.pem, key_file: /keys/mesh.key, trust_file: ca.pem}
redis: {port: 6380, password_file: password, trust_file: ca.pem}
server: {target: "localhost:9443"}
retry_interval_ms: 5000
)";

absl::Status Load(const std::string& yaml, Settings& settings) {
  return MakeSchema(settings).LoadText("/etc/postern/worker.yaml", yaml);
}

TEST(WorkerSettings, ReadsFileAndKeepsDefaults) {
  Settings settings;
  const absl::Status status = Load(kComplete, settings);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(settings.name, "worker-7");
  EXPECT_EQ(settings.mesh.certificate, "/etc/postern/mesh.pem");
  EXPECT_EQ(settings.mesh.key, "/keys/mesh.key");
  EXPECT_EQ(settings.redis_port, 6380);
  EXPECT_EQ(settings.retry_interval, 5s);
  EXPECT_EQ(settings.in_flight_max, 8192);
  EXPECT_EQ(settings.ops_port, 9100);
}

TEST(WorkerSettings, NamesEveryFault) {
  Settings settings;
  const absl::Status status = Load("in_flight_max: 10\nbatch_max: 1001\nunknown: 1\n", settings);
  const std::string message(status.message());
  for (const char* key : {"in_flight_max", "batch_max", "unknown", "trust_domain", "server.target",
                          "mesh.certificate_file", "redis.password_file"}) {
    EXPECT_NE(message.find(key), message.npos) << key << " in: " << message;
  }
}

}  // namespace
}  // namespace postern::worker

#include "services/server/method_table.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "postern/v1/audit_service.pb.h"
#include "postern/v1/certificate_service.pb.h"
#include "postern/v1/client_service.pb.h"
#include "postern/v1/dead_letter_service.pb.h"
#include "postern/v1/delivery_service.pb.h"
#include "postern/v1/envelope.pb.h"
#include "postern/v1/key_service.pb.h"
#include "postern/v1/message_service.pb.h"
#include "postern/v1/queue_service.pb.h"
#include "postern/v1/registration_service.pb.h"
#include "postern/v1/retention_service.pb.h"
#include "postern/v1/statistics_service.pb.h"
#include "postern/v1/system_service.pb.h"
#include "postern/v1/user_service.pb.h"

namespace postern::server {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;

// The generated code of a file is there only when something of it is used.
const google::protobuf::Descriptor* const kLinked[] = {
    v1::AuditRow::descriptor(),   v1::Certificate::descriptor(),
    v1::Client::descriptor(),     v1::Delivery::descriptor(),
    v1::Envelope::descriptor(),   v1::CreateDataKeyRequest::descriptor(),
    v1::Message::descriptor(),    v1::Registration::descriptor(),
    v1::QueueShard::descriptor(), v1::DeadLetterGroup::descriptor(),
    v1::Partition::descriptor(),  v1::Counts::descriptor(),
    v1::TableSize::descriptor(),  v1::User::descriptor(),
};

// Every service of package postern.v1, also those that the server does not implement yet: each file
// of the folder must be linked.
class ProtoFiles {
 public:
  ProtoFiles() {
    for (const auto& file : fs::directory_iterator("proto/postern/v1")) {
      if (file.path().extension() == ".proto") Add(file.path().filename().string());
    }
  }

  std::set<std::string> services;
  std::set<std::string> methods;

 private:
  void Add(const std::string& name) {
    const auto* file =
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName("postern/v1/" + name);
    ASSERT_NE(file, nullptr) << name << ": add a message of it to kLinked";
    for (int i = 0; i < file->service_count(); ++i) {
      const auto& service = *file->service(i);
      services.insert(service.full_name());
      for (int k = 0; k < service.method_count(); ++k) {
        methods.insert("/" + service.full_name() + "/" + service.method(k)->name());
      }
    }
  }
};

tls::SpiffeId Peer(tls::Role role) {
  tls::SpiffeId id;
  id.role = role;
  return id;
}

TEST(MethodTableTest, EveryMethodHasARow) {
  const ProtoFiles protos;
  ASSERT_GE(protos.methods.size(), std::size(kLinked));
  const rpc::MethodTable table = MakeMethodTable();
  for (const std::string& method : protos.methods) {
    EXPECT_TRUE(table.Contains(method)) << method << " has no row: who may call it?";
  }
}

TEST(MethodTableTest, EveryRowIsAMethod) {
  const ProtoFiles protos;
  for (const std::string& method : MakeMethodTable().Methods()) {
    if (method.rfind("/postern.", 0) != 0) continue;
    EXPECT_THAT(protos.methods, Contains(method));
  }
}

TEST(MethodTableTest, EveryServiceHasAHealthComponent) {
  const ProtoFiles protos;
  const auto components = HealthComponents();
  EXPECT_EQ(std::set<std::string>(components.begin(), components.end()), protos.services);
}

TEST(MethodTableTest, ExternalClientsMayCallNothing) {
  const rpc::MethodTable table = MakeMethodTable();
  for (const std::string& method : table.Methods()) {
    EXPECT_FALSE(table.Check(method, Peer(tls::Role::kClient)).ok()) << method;
  }
}

TEST(MethodTableTest, WorkersOnlyDeliverAndKeepTheirCertificatesUp) {
  const rpc::MethodTable table = MakeMethodTable();
  const std::set<std::string> certificates = {"/postern.v1.CertificateService/RenewCertificate",
                                              "/postern.v1.CertificateService/GetCrl",
                                              "/postern.v1.CertificateService/WatchTrust"};
  for (const std::string& method : table.Methods()) {
    const bool theirs = method.rfind("/postern.v1.DeliveryService/", 0) == 0 ||
                        method.rfind("/grpc.health.v1.Health/", 0) == 0 ||
                        certificates.contains(method);
    EXPECT_EQ(table.Check(method, Peer(tls::Role::kWorker)).ok(), theirs) << method;
  }
}

// What a portal gets with its certificate alone: nothing that is anybody's.
TEST(MethodTableTest, PortalsNeedAUserForEverythingButTheDoor) {
  const rpc::MethodTable table = MakeMethodTable();
  const std::set<std::string> open = {
      "/postern.v1.UserService/Login",         "/postern.v1.UserService/RefreshSession",
      "/postern.v1.UserService/Logout",        "/postern.v1.CertificateService/RenewCertificate",
      "/postern.v1.CertificateService/GetCrl", "/postern.v1.CertificateService/WatchTrust",
      "/grpc.health.v1.Health/Check",          "/grpc.health.v1.Health/Watch",
      "/postern.v1.AuditService/ReportRefusal"};
  for (const std::string& method : table.Methods()) {
    const auto need = table.Check(method, Peer(tls::Role::kPortal));
    EXPECT_EQ(need.ok() && !need->has_value(), open.contains(method)) << method;
  }
}

// Users see and change what is theirs; the rest is for administrators.
TEST(MethodTableTest, UsersReachOnlyMessagesFiguresAndThemselves) {
  const rpc::MethodTable table = MakeMethodTable();
  const std::set<std::string> theirs = {"/postern.v1.MessageService/GetMessage",
                                        "/postern.v1.MessageService/ListMessages",
                                        "/postern.v1.StatisticsService/GetOverview",
                                        "/postern.v1.StatisticsService/GetTimeSeries",
                                        "/postern.v1.StatisticsService/ListClientTotals",
                                        "/postern.v1.UserService/GetProfile",
                                        "/postern.v1.UserService/ChangePassword",
                                        "/postern.v1.UserService/EndSessions"};
  for (const std::string& method : table.Methods()) {
    const auto need = table.Check(method, Peer(tls::Role::kPortal));
    if (!need.ok() || !need->has_value()) continue;
    EXPECT_EQ(**need != rpc::UserNeed::kAdmin, theirs.contains(method)) << method;
  }
}

}  // namespace
}  // namespace postern::server

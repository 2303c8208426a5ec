#include "services/common/rpc/authorization.h"

#include <gtest/gtest.h>

#include "services/common/rpc/status.h"

namespace postern::rpc {
namespace {

tls::SpiffeId Peer(tls::Role role) {
  tls::SpiffeId id;
  id.trust_domain = "test.postern";
  id.role = role;
  id.name = "one";
  return id;
}

TEST(MethodTableTest, LetsOnlyTheNamedRolesThrough) {
  const MethodTable table({{"/a.A/Read", {tls::Role::kEdge, tls::Role::kOperator}}});
  EXPECT_TRUE(table.Check("/a.A/Read", Peer(tls::Role::kEdge)).ok());
  EXPECT_TRUE(table.Check("/a.A/Read", Peer(tls::Role::kOperator)).ok());
  const grpc::Status denied = table.Check("/a.A/Read", Peer(tls::Role::kWorker));
  EXPECT_EQ(denied.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(denied.error_message(), "role worker may not call /a.A/Read");
}

TEST(MethodTableTest, DeniesWhatHasNoRow) {
  const MethodTable table({{"/a.A/Read", {tls::Role::kOperator}}});
  for (const char* method : {"/a.A/Write", "/b.B/Read", "", "/a.A/Read/", "a.A/Read"}) {
    EXPECT_EQ(table.Check(method, Peer(tls::Role::kOperator)).error_code(),
              grpc::StatusCode::UNIMPLEMENTED)
        << method;
  }
}

TEST(StatusTest, KeepsCodeAndMessage) {
  const grpc::Status status = ToGrpc(absl::AlreadyExistsError("client_id: taken"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(FromGrpc(status), absl::AlreadyExistsError("client_id: taken"));
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(StatusTest, KeepsInternalDetailsToItself) {
  EXPECT_EQ(ToGrpc(absl::InternalError("password=hunter2")).error_message(), "internal error");
  EXPECT_EQ(ToGrpc(absl::UnknownError("password=hunter2")).error_message(), "internal error");
}

}  // namespace
}  // namespace postern::rpc

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

using Rows = std::vector<MethodRow>;

TEST(MethodTableTest, LetsOnlyTheNamedRolesThrough) {
  const MethodTable table(Rows({{"/a.A/Read", {tls::Role::kEdge, tls::Role::kOperator}}}));
  EXPECT_TRUE(table.Check("/a.A/Read", Peer(tls::Role::kEdge)).ok());
  EXPECT_TRUE(table.Check("/a.A/Read", Peer(tls::Role::kOperator)).ok());
  EXPECT_EQ(table.Check("/a.A/Read", Peer(tls::Role::kWorker)).status(),
            absl::PermissionDeniedError("role worker may not call /a.A/Read"));
}

TEST(MethodTableTest, DeniesWhatHasNoRow) {
  const MethodTable table(Rows({{"/a.A/Read", {tls::Role::kOperator}}}));
  for (const char* method : {"/a.A/Write", "/b.B/Read", "", "/a.A/Read/", "a.A/Read"}) {
    EXPECT_TRUE(absl::IsUnimplemented(table.Check(method, Peer(tls::Role::kOperator)).status()))
        << method;
  }
}

TEST(MethodTableTest, AsksAPortalForAUserWhereTheRowSaysSo) {
  const MethodTable table(Rows({{"/a.A/Read", {tls::Role::kOperator}, UserNeed::kUser},
                                {"/a.A/Enter", {tls::Role::kPortal}, UserNeed::kUser},
                                {"/a.A/Rule", {tls::Role::kOperator}}}));
  EXPECT_EQ(table.Check("/a.A/Read", Peer(tls::Role::kPortal)).value(), UserNeed::kUser);
  EXPECT_EQ(table.Check("/a.A/Enter", Peer(tls::Role::kPortal)).value(), std::nullopt);
  EXPECT_EQ(table.Check("/a.A/Read", Peer(tls::Role::kOperator)).value(), std::nullopt);
  EXPECT_TRUE(
      absl::IsPermissionDenied(table.Check("/a.A/Rule", Peer(tls::Role::kPortal)).status()));
}

TEST(UserTest, NeedsAreMetByRoleAndPassword) {
  UserCaller user;
  user.clients = std::make_shared<const std::set<std::string>>(std::set<std::string>{"acme"});
  EXPECT_TRUE(CheckNeed(user, UserNeed::kUser).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(CheckNeed(user, UserNeed::kAdmin)));
  EXPECT_TRUE(user.MaySee("acme"));
  EXPECT_FALSE(user.MaySee("other"));
  user.admin = true;
  EXPECT_TRUE(CheckNeed(user, UserNeed::kAdmin).ok());
  EXPECT_TRUE(user.MaySee("other"));
  user.must_change_password = true;
  EXPECT_TRUE(CheckNeed(user, UserNeed::kNewcomer).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(CheckNeed(user, UserNeed::kUser)));
}

TEST(UserTest, TakesOneBearerTokenAndNothingElse) {
  std::multimap<grpc::string_ref, grpc::string_ref> metadata;
  EXPECT_EQ(BearerToken(metadata).value(), "");
  metadata.emplace("authorization", "Bearer a.b.c");
  EXPECT_EQ(BearerToken(metadata).value(), "a.b.c");
  metadata.emplace("authorization", "Bearer a.b.c");
  EXPECT_TRUE(absl::IsUnauthenticated(BearerToken(metadata).status()));
  for (const char* value : {"", "Bearer ", "bearer a.b.c", "Basic YTpi", "a.b.c"}) {
    metadata.clear();
    metadata.emplace("authorization", value);
    EXPECT_TRUE(absl::IsUnauthenticated(BearerToken(metadata).status())) << value;
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

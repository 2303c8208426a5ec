#include <gmock/gmock.h>

#include "tests/integration/identity/identity_fixture.h"
#include "tests/support/eventually.h"

namespace postern::identity {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kAnn[] = "ann@example.com";
constexpr char kAda[] = "ada@example.com";

TEST_F(IdentityTest, ATokenIsNeededAndEnoughForWhatTheRoleMay) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  MakeUser(kAda, v1::USER_ROLE_ADMIN);
  const std::string user = Login(kAnn).tokens().access_token();
  const std::string admin = Login(kAda).tokens().access_token();
  const auto list = [&](v1::UserService::Stub& stub, const std::string& token) {
    v1::ListUsersResponse response;
    return stub.ListUsers(Call(token).get(), v1::ListUsersRequest(), &response).error_code();
  };
  EXPECT_EQ(list(portal(), ""), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(list(portal(), "nonsense"), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(list(portal(), user), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(list(portal(), admin), StatusCode::OK);
  // The token alone is nothing without a portal's certificate.
  EXPECT_EQ(list(*server().StubAs("worker"), admin), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(list(*server().StubAs("edge"), admin), StatusCode::PERMISSION_DENIED);
  // A wrong one is refused where none is needed, too: handlers rely on it.
  v1::LoginResponse login;
  v1::LoginRequest request;
  EXPECT_EQ(portal().Login(Call("nonsense").get(), request, &login).error_code(),
            StatusCode::UNAUTHENTICATED);
  // Only portals let people in.
  EXPECT_EQ(operators().Login(Call().get(), request, &login).error_code(),
            StatusCode::PERMISSION_DENIED);
}

TEST_F(IdentityTest, DisablingEndsEverythingAtOnce) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  MakeUser(kAda, v1::USER_ROLE_ADMIN);
  const v1::LoginResponse ann = Login(kAnn);
  const std::string admin = Login(kAda).tokens().access_token();
  v1::SetUserStateRequest request;
  request.mutable_user()->set_id(ann.user().id());
  request.set_state(v1::USER_STATE_DISABLED);
  request.set_reason("left the company");
  v1::SetUserStateResponse response;
  ASSERT_TRUE(portal().SetUserState(Call(admin).get(), request, &response).ok());
  EXPECT_EQ(response.user().state(), v1::USER_STATE_DISABLED);
  v1::GetProfileResponse profile;
  EXPECT_EQ(Profile(ann.tokens().access_token(), &profile).error_code(),
            StatusCode::UNAUTHENTICATED);
  v1::RefreshSessionResponse refreshed;
  EXPECT_EQ(Refresh(ann.tokens().refresh_token(), &refreshed).error_code(),
            StatusCode::UNAUTHENTICATED);

  request.set_state(v1::USER_STATE_ACTIVE);
  ASSERT_TRUE(portal().SetUserState(Call(admin).get(), request, &response).ok());
  // Back in, but by a new session.
  EXPECT_EQ(Profile(ann.tokens().access_token(), &profile).error_code(),
            StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(Profile(Login(kAnn).tokens().access_token(), &profile).ok());
  EXPECT_THAT(Audited("user.disable"),
              ElementsAre("user/ada@example.com user/ann@example.com done"));
  EXPECT_THAT(Audited("user.enable"), SizeIs(1));
}

TEST_F(IdentityTest, ANewRoleBeginsWithANewSession) {
  MakeUser(kAnn, v1::USER_ROLE_ADMIN);
  const v1::LoginResponse login = Login(kAnn);
  v1::SetUserRoleRequest request;
  request.mutable_user()->set_email(kAnn);
  request.set_role(v1::USER_ROLE_USER);
  v1::SetUserRoleResponse response;
  ASSERT_TRUE(operators().SetUserRole(Call().get(), request, &response).ok());
  v1::ListUsersResponse users;
  EXPECT_EQ(
      portal()
          .ListUsers(Call(login.tokens().access_token()).get(), v1::ListUsersRequest(), &users)
          .error_code(),
      StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(portal()
                .ListUsers(Call(Login(kAnn).tokens().access_token()).get(), v1::ListUsersRequest(),
                           &users)
                .error_code(),
            StatusCode::PERMISSION_DENIED);
}

TEST_F(IdentityTest, NobodyTakesTheirOwnRights) {
  MakeUser(kAda, v1::USER_ROLE_ADMIN);
  const std::string admin = Login(kAda).tokens().access_token();
  v1::SetUserStateRequest disable;
  disable.mutable_user()->set_email(kAda);
  disable.set_state(v1::USER_STATE_DISABLED);
  v1::SetUserStateResponse state;
  EXPECT_EQ(portal().SetUserState(Call(admin).get(), disable, &state).error_code(),
            StatusCode::FAILED_PRECONDITION);
  v1::SetUserRoleRequest demote;
  demote.mutable_user()->set_email(kAda);
  demote.set_role(v1::USER_ROLE_USER);
  v1::SetUserRoleResponse role;
  EXPECT_EQ(portal().SetUserRole(Call(admin).get(), demote, &role).error_code(),
            StatusCode::FAILED_PRECONDITION);
  v1::GetProfileResponse profile;
  EXPECT_TRUE(Profile(admin, &profile).ok());
}

TEST_F(IdentityTest, AResetPasswordHasToBeChangedAgain) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  const v1::LoginResponse before = Login(kAnn);
  v1::ResetPasswordRequest request;
  request.mutable_user()->set_email(kAnn);
  v1::ResetPasswordResponse response;
  ASSERT_TRUE(operators().ResetPassword(Call().get(), request, &response).ok());
  v1::GetProfileResponse profile;
  EXPECT_FALSE(Profile(before.tokens().access_token(), &profile).ok());
  v1::LoginResponse login;
  EXPECT_FALSE(TryLogin(kAnn, kPassword, &login).ok());
  ASSERT_TRUE(TryLogin(kAnn, response.one_time_password(), &login).ok());
  EXPECT_TRUE(login.user().must_change_password());
  // One that the operator chose is no less one-time.
  request.set_new_password("chosen by an operator");
  ASSERT_TRUE(operators().ResetPassword(Call().get(), request, &response).ok());
  EXPECT_THAT(response.one_time_password(), IsEmpty());
  ASSERT_TRUE(TryLogin(kAnn, "chosen by an operator", &login).ok());
  EXPECT_TRUE(login.user().must_change_password());
}

TEST_F(IdentityTest, LinksComeAndGo) {
  MakeClient("acme");
  MakeClient("beta");
  MakeUser(kAnn, v1::USER_ROLE_USER, {"beta"});
  v1::LinkClientRequest link;
  link.mutable_user()->set_email(kAnn);
  link.set_client_id("acme");
  v1::LinkClientResponse linked;
  ASSERT_TRUE(operators().LinkClient(Call().get(), link, &linked).ok());
  ASSERT_TRUE(operators().LinkClient(Call().get(), link, &linked).ok());
  EXPECT_THAT(linked.user().client_ids(), ElementsAre("acme", "beta"));
  link.set_client_id("nobody");
  EXPECT_EQ(operators().LinkClient(Call().get(), link, &linked).error_code(),
            StatusCode::NOT_FOUND);
  v1::UnlinkClientRequest unlink;
  unlink.mutable_user()->set_email(kAnn);
  unlink.set_client_id("beta");
  v1::UnlinkClientResponse unlinked;
  ASSERT_TRUE(operators().UnlinkClient(Call().get(), unlink, &unlinked).ok());
  ASSERT_TRUE(operators().UnlinkClient(Call().get(), unlink, &unlinked).ok());
  EXPECT_THAT(unlinked.user().client_ids(), ElementsAre("acme"));
  v1::GetProfileResponse profile;
  ASSERT_TRUE(Profile(Login(kAnn).tokens().access_token(), &profile).ok());
  EXPECT_THAT(profile.user().client_ids(), ElementsAre("acme"));
  EXPECT_THAT(Audited("user.link"), SizeIs(1));
  EXPECT_THAT(Audited("user.unlink"), SizeIs(1));
}

TEST_F(IdentityTest, ListsUsersPageByPage) {
  MakeClient("acme");
  for (const char* name : {"c", "a", "d", "b"}) {
    MakeUser(std::string(name) + "@example.com", v1::USER_ROLE_USER);
  }
  MakeUser("a2@example.com", v1::USER_ROLE_ADMIN, {"acme"});
  v1::ListUsersRequest request;
  request.set_page_size(2);
  std::vector<std::string> emails;
  v1::ListUsersResponse page;
  do {
    ASSERT_TRUE(operators().ListUsers(Call().get(), request, &page).ok());
    EXPECT_LE(page.users_size(), 2);
    for (const v1::User& user : page.users()) emails.push_back(user.email());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(emails, ElementsAre("a2@example.com", "a@example.com", "b@example.com",
                                  "c@example.com", "d@example.com"));
  const auto filtered = [&](v1::ListUsersRequest filter) {
    v1::ListUsersResponse found;
    EXPECT_TRUE(operators().ListUsers(Call().get(), filter, &found).ok());
    return found.users_size();
  };
  v1::ListUsersRequest filter;
  filter.set_email_prefix("A");
  EXPECT_EQ(filtered(filter), 2);
  filter.set_role(v1::USER_ROLE_ADMIN);
  EXPECT_EQ(filtered(filter), 1);
  filter.Clear();
  filter.set_client_id("acme");
  EXPECT_EQ(filtered(filter), 1);
  filter.Clear();
  filter.set_state(v1::USER_STATE_DISABLED);
  EXPECT_EQ(filtered(filter), 0);
}

TEST_F(IdentityTest, BadRequestsNameTheField) {
  v1::CreateUserRequest request;
  request.set_email("ann@example.com");
  request.set_name("Ann\x1b[31m");
  request.set_role(v1::USER_ROLE_USER);
  v1::CreateUserResponse response;
  grpc::Status status = operators().CreateUser(Call().get(), request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), StartsWith("name: "));
  request.set_name("Ann'); DROP TABLE users; --");
  ASSERT_TRUE(operators().CreateUser(Call().get(), request, &response).ok());
  status = operators().CreateUser(Call().get(), request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::ALREADY_EXISTS);
  request.set_email("bob@example.com");
  request.add_client_ids("nobody");
  status = operators().CreateUser(Call().get(), request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  v1::GetUserRequest get;
  v1::GetUserResponse got;
  EXPECT_EQ(operators().GetUser(Call().get(), get, &got).error_code(),
            StatusCode::INVALID_ARGUMENT);
  get.mutable_user()->set_email("bob@example.com");
  EXPECT_EQ(operators().GetUser(Call().get(), get, &got).error_code(), StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace postern::identity

#include <gmock/gmock.h>

#include "services/common/base/time.h"
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

TEST_F(IdentityTest, AOneTimePasswordOpensOnlyTheWayToAnother) {
  v1::CreateUserRequest request;
  request.set_email("Ann@Example.com");
  request.set_name("Ann");
  request.set_role(v1::USER_ROLE_ADMIN);
  v1::CreateUserResponse created;
  ASSERT_TRUE(operators().CreateUser(Call().get(), request, &created).ok());
  EXPECT_EQ(created.user().email(), kAnn);

  v1::LoginResponse login;
  ASSERT_TRUE(TryLogin("ANN@example.com", created.one_time_password(), &login).ok());
  EXPECT_TRUE(login.user().must_change_password());
  const std::string token = login.tokens().access_token();
  v1::GetProfileResponse profile;
  EXPECT_TRUE(Profile(token, &profile).ok());
  v1::ListUsersResponse users;
  EXPECT_EQ(portal().ListUsers(Call(token).get(), v1::ListUsersRequest(), &users).error_code(),
            StatusCode::PERMISSION_DENIED);

  v1::ChangePasswordRequest change;
  change.set_current_password(created.one_time_password());
  change.set_new_password("short");
  v1::ChangePasswordResponse changed;
  grpc::Status status = portal().ChangePassword(Call(token).get(), change, &changed);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), StartsWith("new_password: "));
  change.set_new_password(kPassword);
  change.set_current_password("not the one that it is");
  status = portal().ChangePassword(Call(token).get(), change, &changed);
  EXPECT_THAT(status.error_message(), StartsWith("current_password: "));
  change.set_current_password(created.one_time_password());
  ASSERT_TRUE(portal().ChangePassword(Call(token).get(), change, &changed).ok());

  EXPECT_TRUE(portal().ListUsers(Call(token).get(), v1::ListUsersRequest(), &users).ok());
  EXPECT_THAT(users.users(), SizeIs(1));
  EXPECT_EQ(TryLogin(kAnn, created.one_time_password(), &login).error_code(),
            StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(Audited("user.create"), ElementsAre("operator/operator-1 user/ann@example.com done"));
  EXPECT_THAT(Audited("user.change_password"),
              ElementsAre("user/ann@example.com user/ann@example.com done"));
}

TEST_F(IdentityTest, ATokenThatWasFoundGoodEnds) {
  UserDirectory& directory = server().directory();
  AccessClaims claims;
  claims.user_id = MakeUser(kAnn, v1::USER_ROLE_USER).id();
  claims.session = Uuid::Random();
  claims.issued_at_s = NowMicros() / 1'000'000;
  claims.expires_at_s = claims.issued_at_s + 2;
  const auto token = directory.tokens().Sign(claims, **directory.SigningKey());
  ASSERT_TRUE(token.ok());
  EXPECT_TRUE(directory.Check(*token).ok());
  EXPECT_TRUE(
      test::Eventually([&] { return absl::IsUnauthenticated(directory.Check(*token).status()); }));
  EXPECT_FALSE(directory.Check(*token + "x").ok());
}

TEST_F(IdentityTest, AnOneTimePasswordGetsTooOld) {
  v1::CreateUserRequest request;
  request.set_email(kAnn);
  request.set_name("Ann");
  request.set_role(v1::USER_ROLE_USER);
  v1::CreateUserResponse created;
  ASSERT_TRUE(operators().CreateUser(Call().get(), request, &created).ok());
  Run("UPDATE users SET password_expires_at_us = 1");
  v1::LoginResponse login;
  EXPECT_EQ(TryLogin(kAnn, created.one_time_password(), &login).error_code(),
            StatusCode::UNAUTHENTICATED);
}

TEST_F(IdentityTest, WhateverIsWrongTheAnswerIsTheSame) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  MakeUser("bob@example.com", v1::USER_ROLE_USER);
  v1::SetUserStateRequest disable;
  disable.mutable_user()->set_email("bob@example.com");
  disable.set_state(v1::USER_STATE_DISABLED);
  v1::SetUserStateResponse disabled;
  ASSERT_TRUE(operators().SetUserState(Call().get(), disable, &disabled).ok());

  v1::LoginResponse login;
  const grpc::Status wrong = TryLogin(kAnn, "not the password", &login);
  EXPECT_EQ(wrong.error_code(), StatusCode::UNAUTHENTICATED);
  const std::vector<std::pair<std::string, std::string>> others = {
      {"nobody@example.com", kPassword}, {"bob@example.com", kPassword},
      {"no e-mail", kPassword},          {"", ""},
      {kAnn, std::string(500, 'x')},     {kAnn, std::string("nul\0", 4)}};
  for (const auto& [email, password] : others) {
    const grpc::Status status = TryLogin(email, password, &login);
    EXPECT_EQ(status.error_code(), wrong.error_code()) << email;
    EXPECT_EQ(status.error_message(), wrong.error_message()) << email;
  }
  // What was typed for nobody is not kept: it may be a password.
  const auto rows = Audited("session.begin");
  EXPECT_THAT(rows, ::testing::Contains("portal/portal-1 user/ann@example.com refused"));
  EXPECT_THAT(rows, ::testing::Contains("portal/portal-1 user/unknown refused").Times(3));
  v1::GetUserRequest get;
  get.mutable_user()->set_email(kAnn);
  v1::GetUserResponse ann;
  ASSERT_TRUE(operators().GetUser(Call().get(), get, &ann).ok());
  ASSERT_THAT(ann.logins(), SizeIs(4));
  EXPECT_FALSE(ann.logins(0).succeeded());
  EXPECT_TRUE(ann.logins(3).succeeded());
  EXPECT_EQ(ann.logins(3).address(), "192.0.2.1");
}

TEST_F(IdentityTest, FailuresSlowDownAndLockNobodyOut) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  v1::LoginResponse login;
  std::string retry_after;
  const std::string attacker = "198.51.100.7";
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(TryLogin(kAnn, "a wrong password", &login, attacker).error_code(),
              StatusCode::UNAUTHENTICATED);
  }
  // The sixth failure costs a time, in which not even the right password is looked at.
  EXPECT_EQ(TryLogin(kAnn, "a wrong password", &login, attacker).error_code(),
            StatusCode::UNAUTHENTICATED);
  Lengthen();
  const grpc::Status slowed = TryLogin(kAnn, kPassword, &login, attacker, &retry_after);
  EXPECT_EQ(slowed.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_GE(std::stoi(retry_after), 1);
  EXPECT_EQ(server().throttled(), 1);
  // Ann is not slowed where she was let in before.
  EXPECT_TRUE(TryLogin(kAnn, kPassword, &login, "192.0.2.1").ok());
  // The time passes.
  Run("UPDATE login_throttle SET next_at_us = 1");
  EXPECT_TRUE(TryLogin(kAnn, kPassword, &login, attacker).ok());
}

TEST_F(IdentityTest, ManyAddressesSlowStrangersButNotTheOwner) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  v1::LoginResponse login;
  std::string retry_after;
  for (int i = 0; i < 21; ++i) {
    TryLogin(kAnn, "a wrong password", &login, "198.51.100." + std::to_string(i));
  }
  Lengthen();
  EXPECT_EQ(TryLogin(kAnn, kPassword, &login, "198.51.100.200", &retry_after).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(TryLogin(kAnn, kPassword, &login, "192.0.2.1").ok());
  // Nobody is told apart from somebody.
  for (int i = 0; i < 21; ++i) {
    TryLogin("nobody@example.com", "x", &login, "203.0.113." + std::to_string(i));
  }
  Lengthen();
  EXPECT_EQ(TryLogin("nobody@example.com", "x", &login, "203.0.113.200").error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(IdentityTest, RefreshTokensAreGoodForOneUse) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  const v1::LoginResponse login = Login(kAnn);
  v1::RefreshSessionResponse second;
  ASSERT_TRUE(Refresh(login.tokens().refresh_token(), &second).ok());
  EXPECT_NE(second.tokens().refresh_token(), login.tokens().refresh_token());
  // The answer was lost, or another tab asked too.
  v1::RefreshSessionResponse again;
  ASSERT_TRUE(Refresh(login.tokens().refresh_token(), &again).ok());
  EXPECT_EQ(again.tokens().refresh_token(), second.tokens().refresh_token());

  v1::RefreshSessionResponse third;
  ASSERT_TRUE(Refresh(second.tokens().refresh_token(), &third).ok());
  v1::GetProfileResponse profile;
  EXPECT_TRUE(Profile(third.tokens().access_token(), &profile).ok());
  // Two generations old: somebody has a copy. Nobody goes on.
  v1::RefreshSessionResponse stolen;
  EXPECT_EQ(Refresh(login.tokens().refresh_token(), &stolen).error_code(),
            StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Refresh(third.tokens().refresh_token(), &stolen).error_code(),
            StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Profile(third.tokens().access_token(), &profile).error_code(),
            StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(Audited("session.refresh"), SizeIs(1));
}

TEST_F(IdentityTest, TheGraceOfARefreshTokenEnds) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  const v1::LoginResponse login = Login(kAnn);
  v1::RefreshSessionResponse second;
  ASSERT_TRUE(Refresh(login.tokens().refresh_token(), &second).ok());
  Run("UPDATE user_sessions SET refreshed_at_us = refreshed_at_us - 11000000");
  v1::RefreshSessionResponse late;
  EXPECT_EQ(Refresh(login.tokens().refresh_token(), &late).error_code(),
            StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Refresh(second.tokens().refresh_token(), &late).error_code(),
            StatusCode::UNAUTHENTICATED);
}

TEST_F(IdentityTest, SessionsEndByThemselves) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  const v1::LoginResponse login = Login(kAnn);
  Run("UPDATE user_sessions SET expires_at_us = 1");
  v1::RefreshSessionResponse response;
  EXPECT_EQ(Refresh(login.tokens().refresh_token(), &response).error_code(),
            StatusCode::UNAUTHENTICATED);
}

TEST_F(IdentityTest, LogoutTakesEffectAtOnceOnEveryServer) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  TestServer other(settings(), certificates());
  const auto other_portal = other.StubAs("portal");
  const v1::LoginResponse login = Login(kAnn);
  const v1::LoginResponse kept = Login(kAnn);
  v1::GetProfileResponse profile;
  // The other server takes the token, though it never saw the login.
  ASSERT_TRUE(test::Eventually(
      [&] { return Profile(login.tokens().access_token(), &profile, other_portal.get()).ok(); }));

  v1::LogoutRequest logout;
  logout.set_refresh_token(login.tokens().refresh_token());
  v1::LogoutResponse done;
  ASSERT_TRUE(portal().Logout(Call().get(), logout, &done).ok());
  EXPECT_EQ(Profile(login.tokens().access_token(), &profile).error_code(),
            StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(test::Eventually([&] {
    return Profile(login.tokens().access_token(), &profile, other_portal.get()).error_code() ==
           StatusCode::UNAUTHENTICATED;
  }));
  EXPECT_TRUE(Profile(kept.tokens().access_token(), &profile).ok());
  EXPECT_TRUE(portal().Logout(Call().get(), logout, &done).ok());
  logout.set_refresh_token("nonsense");
  EXPECT_TRUE(portal().Logout(Call().get(), logout, &done).ok());
  EXPECT_THAT(Audited("session.end"), SizeIs(1));
}

TEST_F(IdentityTest, AUserEndsTheirOtherSessions) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  MakeUser("bob@example.com", v1::USER_ROLE_USER);
  const v1::LoginResponse bob = Login("bob@example.com");
  const v1::LoginResponse one = Login(kAnn);
  const v1::LoginResponse two = Login(kAnn);
  v1::EndSessionsRequest request;
  v1::EndSessionsResponse response;
  request.set_session_id(bob.tokens().session_id());
  EXPECT_EQ(portal()
                .EndSessions(Call(two.tokens().access_token()).get(), request, &response)
                .error_code(),
            StatusCode::INVALID_ARGUMENT);
  request.clear_session_id();
  ASSERT_TRUE(
      portal().EndSessions(Call(two.tokens().access_token()).get(), request, &response).ok());
  EXPECT_EQ(response.ended(), 2);  // The one that changed the password, and `one`.
  v1::GetProfileResponse profile;
  EXPECT_FALSE(Profile(one.tokens().access_token(), &profile).ok());
  ASSERT_TRUE(Profile(two.tokens().access_token(), &profile).ok());
  EXPECT_THAT(profile.sessions(), SizeIs(1));
  EXPECT_TRUE(profile.sessions(0).current());
  EXPECT_TRUE(Profile(bob.tokens().access_token(), &profile).ok());
}

TEST_F(IdentityTest, OnlyTwentySessionsLive) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  const v1::LoginResponse first = Login(kAnn);
  for (int i = 0; i < 20; ++i) Login(kAnn);
  v1::GetProfileResponse profile;
  EXPECT_EQ(Profile(first.tokens().access_token(), &profile).error_code(),
            StatusCode::UNAUTHENTICATED);
  ASSERT_TRUE(Profile(Login(kAnn).tokens().access_token(), &profile).ok());
  EXPECT_THAT(profile.sessions(), SizeIs(20));
}

// The master key was changed: tokens go on, signed by a new key, and the old ones are still read.
TEST_F(IdentityTest, ANewTokenKeyInterruptsNobody) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  const v1::LoginResponse login = Login(kAnn);
  server().wrapper().Rotate();
  ASSERT_TRUE(server().upkeep().RunOnce(database()).ok());
  v1::GetProfileResponse profile;
  EXPECT_TRUE(Profile(login.tokens().access_token(), &profile).ok());
  v1::RefreshSessionResponse refreshed;
  EXPECT_TRUE(Refresh(login.tokens().refresh_token(), &refreshed).ok());
  EXPECT_TRUE(Profile(refreshed.tokens().access_token(), &profile).ok());
  int keys = 0;
  ASSERT_TRUE(database()
                  .Query("SELECT COUNT(*) FROM token_keys", {},
                         [&keys](const db::Row& row) {
                           keys = static_cast<int>(row.Int(0));
                           return absl::OkStatus();
                         })
                  .ok());
  EXPECT_EQ(keys, 2);
}

TEST_F(IdentityTest, SecretsAreKeptAsHashesOnly) {
  MakeUser(kAnn, v1::USER_ROLE_USER);
  const v1::LoginResponse login = Login(kAnn);
  std::string row;
  ASSERT_TRUE(database()
                  .Query("SELECT password_hash FROM users", {},
                         [&row](const db::Row& read) {
                           row = read.String(0);
                           return absl::OkStatus();
                         })
                  .ok());
  EXPECT_THAT(row, StartsWith("$2b$"));
  int found = 0;
  ASSERT_TRUE(database()
                  .Query("SELECT COUNT(*) FROM user_sessions WHERE refresh_sha256 = ?",
                         {std::string_view(login.tokens().refresh_token())},
                         [&found](const db::Row& read) {
                           found = static_cast<int>(read.Int(0));
                           return absl::OkStatus();
                         })
                  .ok());
  EXPECT_EQ(found, 0);
}

}  // namespace
}  // namespace postern::identity

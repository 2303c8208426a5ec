#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/identity/user_requests.h"

namespace postern::identity {
namespace {

using ::testing::StartsWith;

TEST(RequestsTest, EmailsAreLowerCaseAndOfOneForm) {
  EXPECT_EQ(ReadEmail("Ann.Smith+x@Example.COM").value(), "ann.smith+x@example.com");
  for (const std::string& bad :
       {std::string(), std::string("ann"), std::string("@example.com"), std::string("ann@"),
        std::string("a@b@c"), std::string("ann@exa mple.com"), std::string("ann@.com"),
        std::string("ann\n@example.com"), std::string("<b>@example.com"),
        std::string(110, 'a') + "@example.com"}) {
    EXPECT_THAT(std::string(ReadEmail(bad).status().message()), StartsWith("email: ")) << bad;
  }
}

TEST(RequestsTest, NamesAreOneLineOfText) {
  EXPECT_TRUE(CheckName("Žofie <b>O'Neill</b>").ok());
  for (const std::string& bad :
       {std::string(), std::string(101, 'x'), std::string("two\nlines"), std::string("\xff"),
        std::string("turned \u202e round"), std::string("nul\0 inside", 11)}) {
    EXPECT_THAT(std::string(CheckName(bad).message()), StartsWith("name: ")) << bad;
  }
}

TEST(RequestsTest, WhatAPortalSaysOfABrowserFitsItsColumn) {
  EXPECT_EQ(ReadUserAgent("Mozilla/5.0 \x1b[31m\xc3\xa9"), "Mozilla/5.0 ?[31m??");
  EXPECT_EQ(ReadUserAgent(std::string(500, 'x')).size(), 200u);
  EXPECT_EQ(ReadAddress("2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(ReadAddress(std::string(500, '1')).size(), 45u);
}

TEST(RequestsTest, NewUsersStartActiveWithAPasswordToChange) {
  v1::CreateUserRequest request;
  request.set_email("Ann@example.com");
  request.set_name("Ann");
  request.set_role(v1::USER_ROLE_USER);
  request.add_client_ids("beta");
  request.add_client_ids("acme");
  request.add_client_ids("beta");
  const auto user = ReadNewUser(request);
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(user->email(), "ann@example.com");
  EXPECT_EQ(user->state(), v1::USER_STATE_ACTIVE);
  EXPECT_TRUE(user->must_change_password());
  EXPECT_THAT(user->client_ids(), ::testing::ElementsAre("acme", "beta"));
  request.set_role(v1::USER_ROLE_UNSPECIFIED);
  EXPECT_THAT(std::string(ReadNewUser(request).status().message()), StartsWith("role: "));
}

}  // namespace
}  // namespace postern::identity

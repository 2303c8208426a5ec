#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <jwt.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "services/identity/access_token.h"
#include "services/identity/refresh_token.h"
#include "services/identity/token_key.h"

namespace postern::identity {
namespace {

using ::testing::HasSubstr;
using Key = std::shared_ptr<const TokenKey>;

constexpr std::int64_t kNow = 1'800'000'000;

Key NewKey(std::int64_t created_at_us = 0) {
  return *MakeTokenKey(Uuid::Random(), created_at_us, NewTokenSecret());
}

TokenKeys KeysOf(const Key& key) { return {{key->id, key}}; }

AccessClaims Claims() {
  AccessClaims claims;
  claims.user_id = 7;
  claims.email = "ann@example.com";
  claims.session = Uuid::Random();
  claims.revision = 42;
  claims.issued_at_s = kNow;
  claims.expires_at_s = kNow + 600;
  return claims;
}

std::string Encoded(const std::string& text) {
  std::string encoded;
  absl::WebSafeBase64Escape(text, &encoded);
  return encoded;
}

class AccessTokenTest : public ::testing::Test {
 protected:
  void ExpectRefused(const std::string& token, std::int64_t now = kNow) {
    const auto claims = tokens_.Verify(token, KeysOf(key_), now);
    EXPECT_TRUE(absl::IsUnauthenticated(claims.status())) << token;
  }
  // The token with one part replaced.
  static std::string With(const std::string& token, std::size_t part, const std::string& text) {
    std::vector<std::string> parts = absl::StrSplit(token, '.');
    parts[part] = text;
    return parts[0] + "." + parts[1] + "." + parts[2];
  }

  const AccessTokens tokens_{"test.postern"};
  const Key key_ = NewKey();
  const AccessClaims claims_ = Claims();
  const std::string token_ = *tokens_.Sign(claims_, *key_);
};

TEST_F(AccessTokenTest, SaysWhatWasSigned) {
  const auto read = tokens_.Verify(token_, KeysOf(key_), kNow);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->user_id, 7);
  EXPECT_EQ(read->email, "ann@example.com");
  EXPECT_EQ(read->session, claims_.session);
  EXPECT_EQ(read->revision, 42);
  EXPECT_EQ(read->expires_at_s, kNow + 600);
}

TEST_F(AccessTokenTest, EndsWhenItSays) {
  EXPECT_TRUE(tokens_.Verify(token_, KeysOf(key_), kNow + 599).ok());
  ExpectRefused(token_, kNow + 600);
  // Of a server whose clock is far ahead.
  ExpectRefused(token_, kNow - 3600);
}

TEST_F(AccessTokenTest, IsForOneTrustDomain) {
  ExpectRefused(*AccessTokens("other.postern").Sign(claims_, *key_));
}

TEST_F(AccessTokenTest, NeedsAKeyOfOurs) {
  const Key other = NewKey();
  ExpectRefused(*tokens_.Sign(claims_, *other));
  // Our kid over another's signature.
  const std::string theirs = *tokens_.Sign(claims_, *other);
  const std::vector<std::string> ours = absl::StrSplit(token_, '.');
  ExpectRefused(With(theirs, 0, ours[0]));
}

TEST_F(AccessTokenTest, TheAlgorithmIsNotTheTokensToChoose) {
  const std::string kid = key_->id.ToString();
  for (const char* alg : {"none", "None", "HS256", "RS256", "ES384", ""}) {
    const std::string header =
        R"({"alg":")" + std::string(alg) + R"(","typ":"JWT","kid":")" + kid + R"("})";
    ExpectRefused(With(token_, 0, Encoded(header)));
    ExpectRefused(With(With(token_, 0, Encoded(header)), 2, ""));
  }
  // HMAC under the public key, which everybody may know.
  jwt_t* forged = nullptr;
  ASSERT_EQ(jwt_new(&forged), 0);
  const std::unique_ptr<jwt_t, decltype(&jwt_free)> held(forged, &jwt_free);
  jwt_add_header(forged, "kid", kid.c_str());
  jwt_add_grant(forged, "iss", "postern:test.postern");
  jwt_add_grant(forged, "aud", "postern-server:test.postern");
  jwt_add_grant(forged, "sub", "7");
  jwt_add_grant_int(forged, "nbf", kNow);
  jwt_add_grant_int(forged, "exp", kNow + 600);
  jwt_add_grant(forged, "sid", claims_.session.ToString().c_str());
  ASSERT_EQ(jwt_set_alg(forged, JWT_ALG_HS256,
                        reinterpret_cast<const unsigned char*>(key_->public_pem.data()),
                        static_cast<int>(key_->public_pem.size())),
            0);
  const std::unique_ptr<char, decltype(&std::free)> text(jwt_encode_str(forged), &std::free);
  ExpectRefused(text.get());
}

TEST_F(AccessTokenTest, AlteredOrBrokenIsRefused) {
  ExpectRefused("");
  ExpectRefused("a.b.c");
  ExpectRefused("..");
  ExpectRefused(token_ + "x");
  ExpectRefused(With(token_, 2, ""));
  ExpectRefused(std::string(5000, 'a'));
  ExpectRefused(token_ + std::string(1, '\0'));
  for (const char* kid : {"../../etc/passwd", "' OR 1=1", ""}) {
    const std::string header = R"({"alg":"ES256","typ":"JWT","kid":")" + std::string(kid) + R"("})";
    ExpectRefused(With(token_, 0, Encoded(header)));
  }
  std::string payload;
  const std::vector<std::string> parts = absl::StrSplit(token_, '.');
  ASSERT_TRUE(absl::WebSafeBase64Unescape(parts[1], &payload));
  payload.replace(payload.find("\"7\""), 3, "\"8\"");
  ExpectRefused(With(token_, 1, Encoded(payload)));
}

TEST_F(AccessTokenTest, RefusalsDoNotRepeatTheToken) {
  const auto status = tokens_.Verify(With(token_, 2, "secret"), KeysOf(key_), kNow).status();
  EXPECT_THAT(std::string(status.message()), ::testing::Not(HasSubstr("secret")));
}

TEST(TokenKeyTest, TheSameSecretIsTheSameKey) {
  const Uuid id = Uuid::Random();
  const crypto::Secret secret = NewTokenSecret();
  const Key one = *MakeTokenKey(id, 1, secret);
  const Key two = *MakeTokenKey(id, 1, secret);
  EXPECT_EQ(one->public_pem, two->public_pem);
  EXPECT_NE(one->public_pem, NewKey()->public_pem);
  EXPECT_TRUE(absl::IsDataLoss(MakeTokenKey(id, 1, crypto::Secret("short")).status()));
}

// Another server has to have read a key before this one signs with it.
TEST(TokenKeyTest, SignsWithTheYoungestThatEveryServerKnows) {
  constexpr std::int64_t kNowUs = kNow * 1'000'000;
  EXPECT_EQ(SigningKey({}, kNowUs), nullptr);
  const Key old = NewKey(kNowUs - 3'600'000'000);
  const Key fresh = NewKey(kNowUs - 1'000'000);
  EXPECT_EQ(SigningKey({{fresh->id, fresh}}, kNowUs), fresh);
  EXPECT_EQ(SigningKey({{old->id, old}, {fresh->id, fresh}}, kNowUs), old);
  EXPECT_EQ(SigningKey({{old->id, old}, {fresh->id, fresh}}, kNowUs + 60'000'000), fresh);
}

TEST(RefreshTokenTest, LeadsToOneNextOneUnderItsKey) {
  const Key key = NewKey();
  const RefreshToken first = RefreshToken::First(Uuid::Random());
  const auto parsed = RefreshToken::Parse(first.ToString());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(first.ToString().size(), 64u);
  EXPECT_EQ(parsed->session, first.session);
  EXPECT_EQ(parsed->Sha256(), first.Sha256());
  EXPECT_EQ(first.Next(*key).ToString(), parsed->Next(*key).ToString());
  EXPECT_NE(first.Next(*key).Sha256(), first.Sha256());
  EXPECT_NE(first.Next(*key).Sha256(), first.Next(*NewKey()).Sha256());
}

TEST(RefreshTokenTest, OtherTextIsNone) {
  for (const std::string& text :
       {std::string(), std::string("x"), std::string(64, '!'), std::string(63, 'a')}) {
    EXPECT_TRUE(absl::IsUnauthenticated(RefreshToken::Parse(text).status())) << text;
  }
}

}  // namespace
}  // namespace postern::identity

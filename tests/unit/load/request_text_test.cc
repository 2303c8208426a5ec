#include "tests/load/request_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "services/common/base/encoding.h"
#include "services/common/crypto/hash.h"

namespace postern::load {
namespace {

std::size_t CodePoints(const std::string& text) {
  std::size_t count = 0;
  for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

struct Parsed {
  std::string head;
  nlohmann::json json;
};

Parsed Parse(const std::string& request) {
  Parsed parsed;
  const std::size_t end = request.find("\r\n\r\n");
  parsed.head = request.substr(0, end + 2);
  parsed.json = nlohmann::json::parse(request.substr(end + 4));
  return parsed;
}

RequestMaker::Shape Chars(std::size_t chars) {
  RequestMaker::Shape shape;
  shape.body_chars = chars;
  return shape;
}

Attempt MakeOne(RequestMaker& maker, std::string& request) {
  std::vector<Attempt> attempts;
  maker.Make(request, attempts);
  EXPECT_EQ(attempts.size(), 1U);
  return attempts.front();
}

TEST(RequestMakerTest, MakesARequestThatTheEdgeTakes) {
  RequestMaker maker("localhost:8443", "/api/v1/messages", Chars(160), Random(1));
  std::string request;
  MakeOne(maker, request);
  const std::size_t body_size = request.size() - request.find("\r\n\r\n") - 4;
  const Parsed parsed = Parse(request);
  EXPECT_TRUE(
      parsed.head.starts_with("POST /api/v1/messages HTTP/1.1\r\nHost: localhost:8443\r\n"));
  EXPECT_NE(parsed.head.find("\r\nContent-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(parsed.head.find("\r\nContent-Length: " + std::to_string(body_size) + "\r\n"),
            std::string::npos);
  EXPECT_EQ(parsed.json.size(), 2U);
  const std::string number = parsed.json["sender_number"];
  EXPECT_EQ(number.size(), 12U);
  EXPECT_EQ(number[0], '+');
  EXPECT_NE(number[1], '0');
  EXPECT_EQ(number.find_first_not_of("0123456789", 1), std::string::npos);
}

TEST(RequestMakerTest, BodiesHaveTheirNonceTheirHashAndTheirLength) {
  for (const std::size_t chars : {32U, 160U, 1000U}) {
    RequestMaker maker("h", "/", Chars(chars), Random(2));
    std::string request;
    const Attempt attempt = MakeOne(maker, request);
    const std::string body = Parse(request).json["message_body"];
    EXPECT_EQ(CodePoints(body), chars);
    const auto nonce = NonceOf(body);
    ASSERT_TRUE(nonce.ok());
    EXPECT_EQ(*nonce, attempt.nonce);
    EXPECT_EQ(std::string(attempt.body_sha256.begin(), attempt.body_sha256.end()),
              crypto::Sha256(body));
  }
}

TEST(RequestMakerTest, BodiesDifferAndHaveWideAndEscapedCharacters) {
  RequestMaker maker("h", "/", Chars(160), Random(3));
  std::set<Nonce> nonces;
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    std::string request;
    nonces.insert(MakeOne(maker, request).nonce);
    all += Parse(request).json["message_body"].get<std::string>();
  }
  EXPECT_EQ(nonces.size(), 1000U);
  for (const char* expected : {"é", "€", "漢", "😀", "\"", "\\"}) {
    EXPECT_NE(all.find(expected), std::string::npos) << expected;
  }
}

TEST(RequestMakerTest, KeysAreTheNoncesOfTheirMessages) {
  RequestMaker::Shape shape = Chars(40);
  shape.keyed = true;
  RequestMaker alone("h", "/", shape, Random(4));
  std::string request;
  const Attempt attempt = MakeOne(alone, request);
  const std::string key = HexEncode(
      std::string_view(reinterpret_cast<const char*>(attempt.nonce.data()), attempt.nonce.size()));
  EXPECT_NE(Parse(request).head.find("\r\nIdempotency-Key: " + key + "\r\n"), std::string::npos);

  shape.batch = 3;
  RequestMaker maker("h", "/", shape, Random(5));
  std::vector<Attempt> attempts;
  maker.Make(request, attempts);
  ASSERT_EQ(attempts.size(), 3U);
  const Parsed parsed = Parse(request);
  EXPECT_EQ(parsed.head.find("Idempotency-Key"), std::string::npos);
  ASSERT_EQ(parsed.json["messages"].size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& message = parsed.json["messages"][i];
    EXPECT_EQ(*NonceOf(message["message_body"].get<std::string>()), attempts[i].nonce);
    EXPECT_EQ(*NonceOf(message["idempotency_key"].get<std::string>()), attempts[i].nonce);
  }
}

TEST(NonceTest, OnlyHexadecimalDigitsAreANonce) {
  EXPECT_TRUE(NonceOf("00112233445566778899aabbccddeeff and more").ok());
  EXPECT_FALSE(NonceOf("00112233445566778899aabbccddeef").ok());
  EXPECT_FALSE(NonceOf("00112233445566778899aabbccddeefg").ok());
  EXPECT_FALSE(NonceOf("").ok());
}

}  // namespace
}  // namespace postern::load

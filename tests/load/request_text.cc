#include "tests/load/request_text.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <random>

#include "services/common/base/strings.h"

namespace postern::load {
namespace {

// One code point, as it is and as JSON writes it. Four bytes are always copied, `size` of them
// count.
struct Character {
  char text[5];
  char json[5];
  std::uint8_t text_size;
  std::uint8_t json_size;
};

constexpr std::size_t kAlphabetSize = 64;

std::array<Character, kAlphabetSize> MakeAlphabet() {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP .,;:!?'-+/";
  constexpr std::array<std::string_view, 9> kWide = {"é", "ü", "ñ", "ß", "Ж", "€", "漢", "字", "😀"};
  std::array<Character, kAlphabetSize> alphabet{};
  std::size_t used = 0;
  const auto add = [&](std::string_view text, std::string_view json) {
    Character& character = alphabet[used++];
    std::copy(text.begin(), text.end(), character.text);
    std::copy(json.begin(), json.end(), character.json);
    character.text_size = static_cast<std::uint8_t>(text.size());
    character.json_size = static_cast<std::uint8_t>(json.size());
  };
  for (const char& plain : kPlain) add({&plain, 1}, {&plain, 1});
  for (const std::string_view wide : kWide) add(wide, wide);
  add("\"", "\\\"");
  add("\\", "\\\\");
  if (used != kAlphabetSize) std::abort();
  return alphabet;
}

const std::array<Character, kAlphabetSize> kAlphabet = MakeAlphabet();
constexpr int kBitsPerCharacter = 6;
constexpr std::string_view kHexDigits = "0123456789abcdef";

int HexValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

Random Random::Seeded() {
  std::random_device device;
  return Random((static_cast<std::uint64_t>(device()) << 32) | device());
}

absl::StatusOr<Nonce> NonceOf(std::string_view body) {
  if (body.size() < kNonceChars) return absl::NotFoundError("no nonce");
  Nonce nonce{};
  for (std::size_t i = 0; i < nonce.size(); ++i) {
    const int high = HexValue(body[2 * i]);
    const int low = HexValue(body[2 * i + 1]);
    if (high < 0 || low < 0) return absl::NotFoundError("no nonce");
    nonce[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return nonce;
}

struct Hasher::Impl {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
  }
};

Hasher::Hasher() : impl_(std::make_unique<Impl>()) {}
Hasher::~Hasher() = default;

Sha256Digest Hasher::Hash(std::string_view data) {
  Sha256Digest digest{};
  if (EVP_DigestInit_ex2(impl_->context, impl_->algorithm, nullptr) != 1 ||
      EVP_DigestUpdate(impl_->context, data.data(), data.size()) != 1 ||
      EVP_DigestFinal_ex(impl_->context, digest.data(), nullptr) != 1) {
    std::abort();  // SHA-256 cannot fail on memory.
  }
  return digest;
}

RequestMaker::RequestMaker(std::string_view host, std::string_view path, Shape shape, Random random)
    : head_(StrCat("POST ", path, " HTTP/1.1\r\nHost: ", host,
                   "\r\nUser-Agent: postern-load\r\nContent-Type: application/json\r\n"
                   "Content-Length: ")),
      shape_(shape),
      body_chars_(std::max(shape.body_chars, kNonceChars)),
      random_(random) {
  body_.reserve(4 * body_chars_ + 4);
}

void RequestMaker::AppendNumber() {
  char number[] = "+10000000000";
  number[1] = static_cast<char>('1' + random_.Below(9));
  std::uint32_t digits = random_.Below(1'000'000'000);
  for (int i = 11; i > 2; --i, digits /= 10) number[i] = static_cast<char>('0' + digits % 10);
  json_.append(number, sizeof(number) - 1);
}

void RequestMaker::AppendBody(Attempt& attempt) {
  const std::uint64_t words[2] = {random_.Next(), random_.Next()};
  std::memcpy(attempt.nonce.data(), words, sizeof(words));
  body_.clear();
  for (const std::uint8_t byte : attempt.nonce) {
    body_.push_back(kHexDigits[byte >> 4]);
    body_.push_back(kHexDigits[byte & 15]);
  }
  json_.append(body_);

  const std::size_t json_start = json_.size();
  const std::size_t count = body_chars_ - kNonceChars;
  body_.resize(kNonceChars + 4 * count + 4);
  json_.resize(json_start + 4 * count + 4);
  char* text = body_.data() + kNonceChars;
  char* json = json_.data() + json_start;
  std::uint64_t bits = 0;
  for (std::size_t i = 0, left = 0; i < count; ++i, --left, bits >>= kBitsPerCharacter) {
    if (left == 0) {
      bits = random_.Next();
      left = 64 / kBitsPerCharacter;
    }
    const Character& character = kAlphabet[bits % kAlphabetSize];
    std::memcpy(text, character.text, 4);
    std::memcpy(json, character.json, 4);
    text += character.text_size;
    json += character.json_size;
  }
  body_.resize(static_cast<std::size_t>(text - body_.data()));
  json_.resize(static_cast<std::size_t>(json - json_.data()));
}

Attempt RequestMaker::AppendMessage() {
  Attempt attempt;
  json_.append(R"({"sender_number":")");
  AppendNumber();
  json_.append(R"(","message_body":")");
  AppendBody(attempt);
  attempt.body_sha256 = hasher_.Hash(body_);
  if (shape_.keyed && shape_.batch > 0) {
    json_.append(R"(","idempotency_key":")").append(body_, 0, kNonceChars);
  }
  json_.append(R"("})");
  return attempt;
}

void RequestMaker::Make(std::string& request, std::vector<Attempt>& attempts) {
  attempts.clear();
  json_.clear();
  if (shape_.batch == 0) {
    attempts.push_back(AppendMessage());
  } else {
    json_.append(R"({"messages":[)");
    for (std::size_t i = 0; i < shape_.batch; ++i) {
      if (i > 0) json_.push_back(',');
      attempts.push_back(AppendMessage());
    }
    json_.append("]}");
  }
  char length[20];
  const auto end = std::to_chars(length, length + sizeof(length), json_.size()).ptr;
  request.assign(head_);
  request.append(length, end);
  if (shape_.keyed && shape_.batch == 0) {
    request.append("\r\nIdempotency-Key: ").append(body_, 0, kNonceChars);
  }
  request.append("\r\n\r\n");
  request.append(json_);
}

}  // namespace postern::load

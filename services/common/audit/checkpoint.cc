#include "services/common/audit/checkpoint.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "services/common/base/encoding.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/crypto/hash.h"
#include "services/common/crypto/openssl_check.h"

namespace postern::audit {
namespace {

using crypto::RequireOpenSsl;
using Json = nlohmann::json;

constexpr std::size_t kHashSize = 32;
constexpr std::size_t kSignatureSize = 64;
// Of the SHA-256 of the public key in DER.
constexpr std::size_t kKeyIdDigits = 16;

struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
using BioHandle = std::unique_ptr<BIO, FreeBio>;
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using ContextHandle = std::unique_ptr<EVP_MD_CTX, FreeContext>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

BioHandle Source(std::string_view text) {
  BioHandle bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  RequireOpenSsl(bio != nullptr, "BIO_new_mem_buf");
  return bio;
}

template <typename Write>
std::string WritePem(const Write& write) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  RequireOpenSsl(bio != nullptr && write(bio.get()) == 1, "PEM_write_bio");
  char* data = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio.get(), &data));
  return std::string(data, size);
}

std::string KeyId(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  RequireOpenSsl(size > 0, "i2d_PUBKEY");
  const std::string id = HexEncode(crypto::Sha256(
      std::string_view(reinterpret_cast<char*>(der), static_cast<std::size_t>(size))));
  OPENSSL_free(der);
  return id.substr(0, kKeyIdDigits);
}

// What is signed. The first line keeps a signature from being one of anything else.
std::string SignedText(const Checkpoint& checkpoint) {
  return StrCat("postern audit checkpoint 1\n", checkpoint.server, "\n", checkpoint.sequence, "\n",
                HexEncode(checkpoint.hash), "\n", checkpoint.at_us, "\n");
}

bool IsSigned(EVP_PKEY* key, std::string_view text, std::string_view signature) {
  const ContextHandle context(EVP_MD_CTX_new());
  RequireOpenSsl(context != nullptr &&
                     EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key) == 1,
                 "EVP_DigestVerifyInit");
  return EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text),
                          text.size()) == 1;
}

bool IsEd25519(EVP_PKEY* key) { return key != nullptr && EVP_PKEY_is_a(key, "ED25519") == 1; }

}  // namespace

void FreeKey::operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }

CheckpointSigner::CheckpointSigner(KeyHandle key)
    : key_(std::move(key)), key_id_(KeyId(key_.get())) {}

CheckpointSigner CheckpointSigner::Generate() {
  KeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  RequireOpenSsl(key != nullptr, "EVP_PKEY_Q_keygen");
  return CheckpointSigner(std::move(key));
}

absl::StatusOr<CheckpointSigner> CheckpointSigner::FromPem(std::string_view pem) {
  KeyHandle key(PEM_read_bio_PrivateKey(Source(pem).get(), nullptr, nullptr, nullptr));
  if (!IsEd25519(key.get())) {
    return absl::InvalidArgumentError("not a private key of Ed25519 in PEM");
  }
  return CheckpointSigner(std::move(key));
}

std::string CheckpointSigner::PrivatePem() const {
  return WritePem([this](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string CheckpointSigner::PublicPem() const {
  return WritePem([this](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key_.get()); });
}

std::string CheckpointSigner::Line(const Checkpoint& checkpoint) const {
  const std::string text = SignedText(checkpoint);
  std::string signature(kSignatureSize, '\0');
  std::size_t size = signature.size();
  const ContextHandle context(EVP_MD_CTX_new());
  RequireOpenSsl(
      context != nullptr &&
          EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
          EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                         Bytes(text), text.size()) == 1,
      "Ed25519");
  const Json line = {{"format", 1},
                     {"server", checkpoint.server},
                     {"sequence", checkpoint.sequence},
                     {"hash", HexEncode(checkpoint.hash)},
                     {"at_us", checkpoint.at_us},
                     {"at", FormatRfc3339(checkpoint.at_us)},
                     {"key", key_id_},
                     {"signature", absl::Base64Escape(signature)}};
  return line.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
}

absl::Status CheckpointReader::AddKey(std::string_view public_pem) {
  KeyHandle key(PEM_read_bio_PUBKEY(Source(public_pem).get(), nullptr, nullptr, nullptr));
  if (!IsEd25519(key.get())) {
    return absl::InvalidArgumentError("not a public key of Ed25519 in PEM");
  }
  std::string id = KeyId(key.get());
  keys_.push_back({std::move(id), std::move(key)});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Checkpoint>> CheckpointReader::Read(std::string_view content) const {
  std::vector<Checkpoint> checkpoints;
  int number = 0;
  while (true) {
    const std::size_t end = content.find('\n');
    if (end == std::string_view::npos) return checkpoints;
    ++number;
    auto checkpoint = ReadLine(std::string(content.substr(0, end)));
    if (!checkpoint.ok()) {
      return absl::InvalidArgumentError(
          StrCat("line ", number, ": ", ToStd(checkpoint.status().message())));
    }
    checkpoints.push_back(*std::move(checkpoint));
    content.remove_prefix(end + 1);
  }
}

absl::StatusOr<Checkpoint> CheckpointReader::ReadLine(const std::string& line) const {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  const auto is_text = [&json](const char* name) {
    return json.contains(name) && json[name].is_string();
  };
  const auto is_number = [&json](const char* name) {
    return json.contains(name) && json[name].is_number_integer();
  };
  if (!json.is_object() || !is_number("format") || json["format"] != 1 || !is_text("server") ||
      !is_number("sequence") || !is_text("hash") || !is_number("at_us") || !is_text("key") ||
      !is_text("signature")) {
    return absl::InvalidArgumentError("not a checkpoint of format 1");
  }
  Checkpoint checkpoint;
  checkpoint.server = json["server"];
  checkpoint.sequence = json["sequence"];
  checkpoint.at_us = json["at_us"];
  auto hash = HexDecode(json["hash"].get<std::string>());
  std::string signature;
  if (!hash.ok() || hash->size() != kHashSize ||
      !absl::Base64Unescape(json["signature"].get<std::string>(), &signature)) {
    return absl::InvalidArgumentError("not a checkpoint of format 1");
  }
  checkpoint.hash = *std::move(hash);
  const auto known = std::find_if(keys_.begin(), keys_.end(), [&json](const Known& candidate) {
    return candidate.id == json["key"];
  });
  if (known == keys_.end()) {
    return absl::InvalidArgumentError(
        StrCat("signed by the key ", json["key"].get<std::string>(), ", which was not given"));
  }
  if (!IsSigned(known->key.get(), SignedText(checkpoint), signature)) {
    return absl::InvalidArgumentError("the signature does not fit: the line was altered");
  }
  return checkpoint;
}

}  // namespace postern::audit

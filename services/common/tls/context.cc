#include "services/common/tls/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/openssl_error.h"
#include "services/common/crypto/openssl_ptr.h"

namespace postern::tls {
namespace {

using Context = boost::asio::ssl::context;

// ECDHE with AEAD only. AES-128 first: it is as strong as P-256 and the cheapest with AES-NI.
constexpr char kTls12Ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char kTls13Suites[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr char kGroups[] = "X25519:P-256";
constexpr unsigned char kSessionIdContext[] = "postern";

absl::Status FileError(std::string_view what, const std::string& path) {
  return absl::FailedPreconditionError(StrCat(what, " ", path, ": ", crypto::OpenSslReason()));
}

absl::Status UseCertificateAndKey(SSL_CTX* context, const Files& files) {
  absl::StatusOr<std::string> chain = ReadFile(files.certificate);
  if (!chain.ok()) return chain.status();
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return FileError("certificate file", files.certificate);
  }
  absl::StatusOr<std::string> pem = ReadSecretFile(files.key);
  if (!pem.ok()) return pem.status();
  crypto::BioPtr bio(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())));
  // An encrypted key would ask on the terminal: the empty password makes it an error instead.
  char no_password[] = "";
  crypto::KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, no_password));
  OPENSSL_cleanse(pem->data(), pem->size());
  if (key == nullptr) return FileError("key file", files.key);
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return absl::FailedPreconditionError(
        StrCat("key file ", files.key, " does not belong to certificate file ", files.certificate));
  }
  return absl::OkStatus();
}

absl::Status UseTrust(SSL_CTX* context, const Files& files) {
  absl::StatusOr<std::string> pem = ReadFile(files.trust);
  if (!pem.ok()) return pem.status();
  if (SSL_CTX_load_verify_locations(context, files.trust.c_str(), nullptr) != 1) {
    return FileError("trust file", files.trust);
  }
  // The issuing CA is the end of the chain, so that its sibling under the same root is a stranger.
  X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_PARTIAL_CHAIN);
  return absl::OkStatus();
}

absl::Status SetPolicy(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // Idle connections hold no record buffers: about 34 KiB each.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_num_tickets(context, 0) != 1 ||
      SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context, kTls12Ciphers) != 1 ||
      SSL_CTX_set_ciphersuites(context, kTls13Suites) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1) {
    return absl::InternalError(StrCat("TLS policy: ", crypto::OpenSslReason()));
  }
  return absl::OkStatus();
}

enum class Trust { kFromFile, kNobody };

absl::StatusOr<std::shared_ptr<Context>> MakeContext(Context::method method, const Files& files,
                                                     Trust trust = Trust::kFromFile) {
  auto context = std::make_shared<Context>(method);
  SSL_CTX* native = context->native_handle();
  ERR_clear_error();
  if (absl::Status status = SetPolicy(native); !status.ok()) return status;
  if (absl::Status status = UseCertificateAndKey(native, files); !status.ok()) return status;
  if (trust == Trust::kNobody) return context;
  if (absl::Status status = UseTrust(native, files); !status.ok()) return status;
  return context;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Context>> ServerContext(const Files& files) {
  absl::StatusOr<std::shared_ptr<Context>> context = MakeContext(Context::tls_server, files);
  if (!context.ok()) return context;
  SSL_CTX* native = (*context)->native_handle();
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // Names the CA in the certificate request, so that a client with several certificates picks the
  // right one.
  SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(files.trust.c_str()));
  // Without one, OpenSSL fails the handshake of a client that offers a session from elsewhere.
  SSL_CTX_set_session_id_context(native, kSessionIdContext, sizeof kSessionIdContext - 1);
  return context;
}

absl::StatusOr<std::shared_ptr<Context>> BrowserContext(const Files& files) {
  absl::StatusOr<std::shared_ptr<Context>> context =
      MakeContext(Context::tls_server, files, Trust::kNobody);
  if (!context.ok()) return context;
  SSL_CTX_set_verify((*context)->native_handle(), SSL_VERIFY_NONE, nullptr);
  return context;
}

absl::StatusOr<std::shared_ptr<Context>> ClientContext(const Files& files) {
  absl::StatusOr<std::shared_ptr<Context>> context = MakeContext(Context::tls_client, files);
  if (!context.ok()) return context;
  SSL_CTX_set_verify((*context)->native_handle(), SSL_VERIFY_PEER, nullptr);
  return context;
}

}  // namespace postern::tls

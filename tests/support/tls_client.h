#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "services/common/tls/settings.h"

namespace postern::test {

// An HTTP answer as it came. Field names in lower case.
struct RawAnswer {
  int status = 0;
  std::map<std::string, std::string> fields;
  std::string body;
};

// A blocking client that sends raw bytes, over TLS or plain, so that a test can send what no proper
// client would. Everything has a limit of `limit`. Not thread-safe.
class TlsClient {
 public:
  struct Options {
    std::uint16_t port = 0;  // Of 127.0.0.1.
    bool plain = false;
    // Empty certificate: shows none. Empty trust: believes any server.
    tls::Files files;
    std::string server_name;        // To ask for (SNI); empty: none.
    bool http2 = false;             // Says that it speaks h2 (ALPN), as gRPC's servers want.
    int tls_version = 0;            // Such as TLS1_2_VERSION; 0: the best of both.
    SSL_SESSION* resume = nullptr;  // A session to offer.
    std::chrono::milliseconds limit{10'000};
  };

  // Connects and shakes hands. Look at `connected`: in TLS 1.3 a server's refusal of our
  // certificate comes only with the first read.
  explicit TlsClient(const Options& options);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  // False when the peer does not take it.
  bool Send(std::string_view bytes);
  // Says that nothing more will come: close_notify, then FIN. Reading stays possible.
  void EndSending();
  // The next whole answer, by its Content-Length; `head`: it answers a HEAD and has no body.
  // Nullopt when the peer closed or failed before it was complete.
  std::optional<RawAnswer> ReadAnswer(bool head = false);
  // Sends and reads the answer.
  std::optional<RawAnswer> Ask(std::string_view bytes);
  // True when the peer ends the connection, or fails it, before `limit` and without another byte.
  bool PeerCloses();
  // Takes what comes up to and with `mark`. False when the peer ends before, or `limit` is over.
  bool SkipPast(std::string_view mark);
  // Everything until the peer closes.
  std::string ReadAll();

  // Whether the peer said goodbye by TLS or closed orderly, after it has closed.
  bool reset() const { return reset_; }
  SSL* ssl() const { return ssl_.get(); }
  // The session to resume, after some answer was read; the caller frees it. May be null.
  SSL_SESSION* TakeSession();

 private:
  struct SslDeleter {
    void operator()(SSL* ssl) const;
  };
  struct ContextDeleter {
    void operator()(SSL_CTX* context) const;
  };

  bool StartTls(const Options& options);
  // Appends to `received_`. False at the end.
  bool ReadMore();

  std::unique_ptr<SSL_CTX, ContextDeleter> context_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
  int fd_ = -1;
  bool connected_ = false;
  bool reset_ = false;
  bool timed_out_ = false;
  std::string received_;
};

}  // namespace postern::test

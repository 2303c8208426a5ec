#include "edge_proxy/certificate_requests.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "edge_proxy/answers.h"
#include "edge_proxy/limits.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/log/log.h"
#include "services/common/rpc/async_unary.h"

namespace postern::edge {
namespace {

namespace asio = boost::asio;
using Async = v1::CertificateService::StubInterface::async_interface;

std::optional<http::Response> WrongMediaType(const http::Request& request,
                                             const RequestContext& context) {
  const std::string_view type = request.Field("content-type").value_or("");
  if (absl::EqualsIgnoreCase(ToAbsl(type), "application/pkcs10")) return std::nullopt;
  return Answer(ProblemCode::kUnsupportedMediaType, "Content-Type must be application/pkcs10.",
                context.request_id);
}

// The token of `Authorization: Bearer` (RFC 6750, 2.1); empty when there is none.
std::string BearerToken(const http::Request& request) {
  absl::string_view value = ToAbsl(request.Field("authorization").value_or(""));
  if (!absl::StartsWithIgnoreCase(value, "Bearer ")) return "";
  value.remove_prefix(std::string_view("Bearer ").size());
  return std::string(absl::StripAsciiWhitespace(value));
}

// What the authority's refusal is to the client. Its texts name what is wrong with the request or
// with the certificate of whoever asks, nothing else.
http::Response Refused(const absl::Status& status, const RequestContext& context) {
  if (absl::IsInvalidArgument(status)) {
    return Answer(ProblemCode::kInvalidCertificateRequest, std::string(status.message()),
                  context.request_id);
  }
  if (absl::IsPermissionDenied(status) || absl::IsFailedPrecondition(status) ||
      absl::IsResourceExhausted(status) || absl::IsNotFound(status)) {
    return Answer(ProblemCode::kCertificateRefused, std::string(status.message()),
                  context.request_id);
  }
  static log::RateLimit limit(/*interval_ms=*/10'000);
  if (limit.Allow()) log::Warn("authority_not_asked", "reason", status.ToString());
  return Answer(ProblemCode::kRegisterUnavailable, "The main server cannot be asked now.",
                context.request_id);
}

}  // namespace

asio::awaitable<http::Response> CertificateRequests::Renew(http::Request& request,
                                                           RequestContext& context) {
  std::optional<http::Response> wrong = WrongMediaType(request, context);
  if (wrong.has_value()) co_return *std::move(wrong);
  v1::RenewCertificateRequest order;
  order.set_csr(std::move(request.body));
  order.set_certificate_sha256(request.peer->sha256_hex);
  absl::StatusOr<v1::RenewCertificateResponse> renewed =
      co_await rpc::Call(certificates_.async(), &Async::RenewCertificate, std::move(order),
                         Deadline::After(kCertificateDeadline));
  if (!renewed.ok()) co_return Refused(renewed.status(), context);
  co_return co_await Issued(std::move(*renewed->mutable_certificate()),
                            std::move(*renewed->mutable_chain_pem()), context);
}

asio::awaitable<http::Response> CertificateRequests::Enrol(http::Request& request,
                                                           RequestContext& context) {
  std::optional<http::Response> wrong = WrongMediaType(request, context);
  if (wrong.has_value()) co_return *std::move(wrong);
  v1::EnrolCertificateRequest order;
  order.set_token(BearerToken(request));
  if (order.token().empty()) {
    co_return Answer(ProblemCode::kCertificateRefused,
                     "The request needs `Authorization: Bearer` with an enrolment token.",
                     context.request_id);
  }
  order.set_csr(std::move(request.body));
  absl::StatusOr<v1::EnrolCertificateResponse> enrolled =
      co_await rpc::Call(certificates_.async(), &Async::EnrolCertificate, std::move(order),
                         Deadline::After(kCertificateDeadline));
  if (!enrolled.ok()) co_return Refused(enrolled.status(), context);
  co_return co_await Issued(std::move(*enrolled->mutable_certificate()),
                            std::move(*enrolled->mutable_chain_pem()), context);
}

asio::awaitable<http::Response> CertificateRequests::Issued(v1::Certificate certificate,
                                                            std::string chain_pem,
                                                            const RequestContext& context) {
  if (certificate.profile() == "client") {
    // Who gets a certificate uses it at once, and must not be refused for being new.
    const Deadline limit = Deadline::After(kNewCertificateWait);
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (directory_.Current()->Find(certificate.sha256()) == nullptr && !limit.Expired()) {
      timer.expires_after(kNewCertificateCheck);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }
  http::Response response;
  response.status = 201;
  response.content_type = "application/pem-certificate-chain";
  response.body = std::move(chain_pem);
  response.fields.emplace_back("Request-Id", context.request_id);
  response.fields.emplace_back("Cache-Control", "no-store");
  co_return response;
}

}  // namespace postern::edge

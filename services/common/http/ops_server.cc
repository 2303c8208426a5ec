#include "services/common/http/ops_server.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>
#include <utility>

#include "services/common/base/strings.h"
#include "services/common/http/server.h"

namespace postern::http {
namespace {

namespace asio = boost::asio;
constexpr std::chrono::milliseconds kStopLimit{500};
constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kMetricsText = "text/plain; version=0.0.4; charset=utf-8";

std::string_view StateName(Check::State state) {
  switch (state) {
    case Check::State::kPass:
      return "pass";
    case Check::State::kWarn:
      return "warn";
    case Check::State::kFail:
      return "fail";
  }
  return "fail";
}

Check::State Worst(const std::vector<Check>& checks) {
  Check::State worst = Check::State::kPass;
  for (const Check& check : checks) worst = std::max(worst, check.state);
  return worst;
}

Limits OpsLimits() {
  Limits limits;
  limits.header_bytes = 8 * 1024;
  limits.body_bytes = 0;
  limits.connections = 64;
  limits.linger = {};
  return limits;
}

Response Text(int status, std::string body) {
  Response response;
  response.status = status;
  response.content_type = kText;
  response.body = std::move(body);
  return response;
}

class OpsHandler final : public Handler {
 public:
  OpsHandler(metrics::Registry& metrics, Checks checks, Pages pages)
      : metrics_(metrics), checks_(std::move(checks)), pages_(std::move(pages)) {}

  asio::awaitable<Response> Handle(Request request) override { co_return Route(request); }

  Response Refuse(int status, std::string_view detail) override {
    return Text(status, StrCat(detail, "\n"));
  }

  void SetDraining() { draining_ = true; }

 private:
  Response Route(const Request& request) {
    if (request.method != "GET" && request.method != "HEAD") {
      Response refused = Text(405, "Only GET and HEAD.\n");
      refused.fields.emplace_back("Allow", "GET, HEAD");
      return refused;
    }
    if (request.path == "/metrics") {
      Response page = Text(200, metrics_.Serialize());
      page.content_type = kMetricsText;
      return page;
    }
    if (request.path == "/livez") return Text(200, "ok\n");
    if (request.path == "/readyz") return Ready(request.query == "verbose");
    if (request.path == "/health") return Health();
    if (std::optional<Response> page = pages_ ? pages_(request.path) : std::nullopt) {
      return *std::move(page);
    }
    return Text(404, "There are /metrics, /livez, /readyz and /health.\n");
  }

  Response Ready(bool verbose) {
    if (draining_) return Text(503, "draining\n");
    const std::vector<Check> checks = checks_();
    const bool failed = AnyFailed(checks);
    std::string body;
    for (const Check& check : checks) {
      if (!verbose && check.state != Check::State::kFail) continue;
      const std::string_view mark = check.state == Check::State::kFail ? "[-]" : "[+]";
      StrAppend(&body, mark, check.name, " ", StateName(check.state),
                check.detail.empty() ? "" : ": ", check.detail, "\n");
    }
    body.append(failed ? "not ready\n" : "ok\n");
    return Text(failed ? 503 : 200, std::move(body));
  }

  Response Health() {
    const std::vector<Check> checks = checks_();
    Response page;
    page.status = AnyFailed(checks) ? 503 : 200;
    page.body = ChecksJson(checks);
    return page;
  }

  metrics::Registry& metrics_;
  const Checks checks_;
  const Pages pages_;
  std::atomic<bool> draining_{false};
};

}  // namespace

std::string ChecksJson(const std::vector<Check>& checks) {
  nlohmann::ordered_json details = nlohmann::ordered_json::object();
  for (const Check& check : checks) {
    nlohmann::ordered_json entry;
    entry["status"] = StateName(check.state);
    entry["detail"] = check.detail;
    details[check.name] = std::move(entry);
  }
  nlohmann::ordered_json document;
  document["status"] = StateName(Worst(checks));
  document["checks"] = std::move(details);
  // A detail may quote a foreign error text: what is not UTF-8 in it must not fail the page.
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

bool AnyFailed(const std::vector<Check>& checks) { return Worst(checks) == Check::State::kFail; }

struct OpsServer::Impl {
  Impl(metrics::Registry& metrics, Checks checks, Pages pages)
      : handler(metrics, std::move(checks), std::move(pages)),
        server("ops", {{&io, &handler}}, nullptr, OpsLimits(), nullptr, metrics) {}

  void StartThread() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread = std::thread([this] {
      pthread_setname_np(pthread_self(), "ops");
      io.run();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  asio::io_context io{1};
  OpsHandler handler;
  Server server;
  std::thread thread;
};

OpsServer::OpsServer(metrics::Registry& metrics, Checks checks, Pages pages)
    : impl_(std::make_unique<Impl>(metrics, std::move(checks), std::move(pages))) {}

OpsServer::~OpsServer() { Stop(); }

absl::Status OpsServer::Listen(const std::string& address, std::uint16_t port) {
  if (absl::Status status = impl_->server.Listen(address, port); !status.ok()) return status;
  impl_->StartThread();
  return absl::OkStatus();
}

std::uint16_t OpsServer::port() const { return impl_->server.port(); }

void OpsServer::SetDraining() { impl_->handler.SetDraining(); }

void OpsServer::Stop() {
  if (!impl_->thread.joinable()) return;
  impl_->server.AwaitIdle(kStopLimit);
  impl_->io.stop();
  impl_->thread.join();
}

}  // namespace postern::http

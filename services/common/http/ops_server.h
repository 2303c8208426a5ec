#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/common/http/message.h"
#include "services/common/metrics/metrics.h"

namespace postern::http {

// One component's state, as `/readyz?verbose` and `/api/v1/health` show it.
struct Check {
  enum class State { kPass, kWarn, kFail };
  std::string name;  // `redis`, `server`, `certificate`, …
  State state = State::kPass;
  std::string detail;  // For people; no secret in it.
};

// Asked at each request; must not block.
using Checks = std::function<std::vector<Check>()>;

// A page of the program's own by its path, or null when there is none; must not block.
using Pages = std::function<std::optional<Response>(std::string_view path)>;

// `{"status": "pass|warn|fail", "checks": {"redis": {"status": "pass", "detail": "…"}, …}}`, status
// being the worst.
std::string ChecksJson(const std::vector<Check>& checks);
bool AnyFailed(const std::vector<Check>& checks);

// The operations port of a program, plain HTTP on its own thread: `/metrics`, `/livez` (200 while
// the process runs), `/readyz` (200 when no check fails, else 503; `?verbose` lists them),
// `/health` (JSON), and what `pages` has.
class OpsServer {
 public:
  OpsServer(metrics::Registry& metrics, Checks checks, Pages pages = nullptr);
  ~OpsServer();
  // As Server::Listen.
  absl::Status Listen(const std::string& address, std::uint16_t port);
  std::uint16_t port() const;
  // From now on `/readyz` answers 503 with "draining".
  void SetDraining();
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace postern::http

#include "edge_proxy/access_log.h"

#include "edge_proxy/limits.h"
#include "services/common/log/log.h"

namespace postern::edge {

bool AccessLog::Wants(int status, std::int64_t now_us) {
  Budget& budget = BudgetOf(status);
  const std::int64_t second = now_us / 1'000'000;
  if (second != budget.second) {
    budget.second = second;
    budget.written = 0;
  }
  if (budget.written < kAccessLinesPerSecond) return true;
  ++budget.suppressed;
  return false;
}

void AccessLog::Write(const AccessLine& line) {
  Budget& budget = BudgetOf(line.status);
  ++budget.written;
  log::Info("access", "request_id", line.request_id, "route", line.route, "code", line.status,
            "client", line.client, "message_id", line.message_id, "duration_us", line.duration_us,
            "suppressed", budget.suppressed);
  budget.suppressed = 0;
}

}  // namespace postern::edge

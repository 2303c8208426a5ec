#include "edge_proxy/key_allowance.h"

#include "edge_proxy/limits.h"

namespace postern::edge {

std::int64_t KeyAllowance::Use(const std::string& client_id, std::int64_t step,
                               Clock::time_point now) {
  Entry& entry = clients_[client_id];
  if (entry.left > 0 && now - entry.since >= kKeyBlockLife) entry.left = 0;
  std::int64_t block = 0;
  if (entry.left <= 0 || entry.refused) {
    block = step;
    entry.left += step;
    entry.since = now;
  }
  --entry.left;
  return block;
}

void KeyAllowance::Return(const std::string& client_id, std::int64_t block) {
  const auto found = clients_.find(client_id);
  if (found != clients_.end()) found->second.left += 1 - block;
}

void KeyAllowance::Note(const std::string& client_id, bool refused) {
  const auto found = clients_.find(client_id);
  if (found != clients_.end()) found->second.refused = refused;
}

}  // namespace postern::edge

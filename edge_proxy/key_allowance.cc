#include "edge_proxy/key_allowance.h"

#include <algorithm>

#include "edge_proxy/limits.h"

namespace postern::edge {

std::int64_t KeyAllowance::Use(const std::string& client_id, std::int64_t block_max,
                               Clock::time_point now) {
  Entry& entry = clients_[client_id];
  if (now - entry.since >= kKeyBlockLife) {
    entry.left = std::min<std::int64_t>(entry.left, 0);
    entry.next_block = 1;
  }
  std::int64_t block = 0;
  if (entry.left <= 0) {
    block = std::min(entry.next_block, block_max);
    entry.left += block;
    entry.since = now;
  }
  --entry.left;
  return block;
}

void KeyAllowance::Return(const std::string& client_id, std::int64_t block) {
  const auto found = clients_.find(client_id);
  if (found != clients_.end()) found->second.left += 1 - block;
}

void KeyAllowance::Granted(const std::string& client_id) {
  const auto found = clients_.find(client_id);
  if (found == clients_.end()) return;
  found->second.next_block = std::min(2 * found->second.next_block, kKeyBlock);
}

void KeyAllowance::Refused(const std::string& client_id) {
  const auto found = clients_.find(client_id);
  if (found != clients_.end()) found->second.next_block = 1;
}

}  // namespace postern::edge

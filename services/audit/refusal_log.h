#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/common/audit/act.h"

namespace postern::audit {

// Collects refusals of authority, which come on threads that must not block and as fast as a peer
// likes: refusals of the same peer at the same method between two calls of Take are one act with a
// count. At most 256 kinds at a time; what is beyond is counted under the peer and method `other`.
// Thread-safe.
class RefusalLog {
 public:
  void Note(std::string_view peer, std::string_view method);
  // What came since the last call.
  std::vector<Act> Take();
  // Gives back what could not be written.
  void PutBack(const std::vector<Act>& acts);

 private:
  using Key = std::pair<std::string, std::string>;  // Peer, method.
  void Add(Key key, std::int64_t count);

  std::mutex mutex_;
  std::map<Key, std::int64_t> counts_;
};

}  // namespace postern::audit

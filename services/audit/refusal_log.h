#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "services/common/audit/act.h"

namespace postern::audit {

// Collects refusals of authority, which come on threads that must not block and as fast as a peer
// likes: refusals of the same kind between two calls of Take are one act with a count. At most 256
// kinds at a time; what is beyond is counted under the peer and method `other`. Thread-safe.
class RefusalLog {
 public:
  // A call that the method table has turned away.
  void Note(std::string_view peer, std::string_view method);
  // A refusal by somebody else. The same in all fields is the same kind; the outcome is kRefused.
  void Note(const Act& act);
  // What came since the last call.
  std::vector<Act> Take();
  // Gives back what could not be written.
  void PutBack(const std::vector<Act>& acts);

 private:
  using Details = std::map<std::string, std::string>;
  using Kind =
      std::tuple<std::string, std::string, std::string, Details>;  // Actor, action, target.
  void Add(Kind kind, std::int64_t count);

  std::mutex mutex_;
  std::map<Kind, std::int64_t> counts_;
};

}  // namespace postern::audit

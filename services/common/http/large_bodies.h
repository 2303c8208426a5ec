#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "services/common/http/request_parser.h"
#include "services/common/http/server.h"

namespace postern::http {

// How many large bodies a lane takes in: each may be as large as Limits::LargeBodies::body_bytes,
// and is memory from its header to its answer. Not thread-safe.
class LargeBodies {
 public:
  // A large body in hand, as long as it lives.
  class Permit {
   public:
    Permit(LargeBodies& owner, std::map<std::string, std::size_t>::iterator peer)
        : owner_(owner), peer_(peer) {}
    ~Permit() { owner_.Release(peer_); }
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;

   private:
    LargeBodies& owner_;
    const std::map<std::string, std::size_t>::iterator peer_;
  };

  explicit LargeBodies(const Limits::LargeBodies& limits) : limits_(limits) {}

  // One more of `peer`. Null and `permit` set, or why it may not be taken in now.
  const Refusal* Take(const std::string& peer, std::unique_ptr<Permit>& permit);

 private:
  void Release(std::map<std::string, std::size_t>::iterator peer);

  const Limits::LargeBodies limits_;
  std::map<std::string, std::size_t> by_peer_;
  std::size_t in_hand_ = 0;
};

}  // namespace postern::http

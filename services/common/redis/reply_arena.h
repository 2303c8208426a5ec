#pragma once

#include <hiredis/hiredis.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace postern::redis {

// Memory of the replies of one exchange: hiredis's nodes lie side by side in it and go together,
// where hiredis itself allocates and frees each node and each string. Not thread-safe.
class ReplyArena {
 public:
  // A hiredis reader whose nodes lie in the arena that its `privdata` points to. Null when there is
  // no memory.
  static redisReader* MakeReader();

  // Aligned for any node; null when there is no memory.
  void* Allocate(std::size_t size) noexcept;

 private:
  bool AddBlock(std::size_t size) noexcept;

  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace postern::redis

#include "services/common/redis/reply_arena.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace postern::redis {
namespace {

constexpr std::size_t kFirstBlockBytes = 2 * 1024;
constexpr std::size_t kBlockBytes = 64 * 1024;
// Of one array. The largest honest ones are reads of the queue: some ten thousand entries.
constexpr int kMaxElements = 1'000'000;

redisReply* NewNode(const redisReadTask& task) {
  auto* const arena = static_cast<ReplyArena*>(task.privdata);
  void* const memory = arena->Allocate(sizeof(redisReply));
  if (memory == nullptr) return nullptr;
  std::memset(memory, 0, sizeof(redisReply));
  auto* const node = static_cast<redisReply*>(memory);
  node->type = task.type;
  return node;
}

void* Attach(const redisReadTask& task, redisReply* node) {
  if (task.parent != nullptr) static_cast<redisReply*>(task.parent->obj)->element[task.idx] = node;
  return node;
}

void* CreateString(const redisReadTask* task, char* text, std::size_t length) {
  redisReply* const node = NewNode(*task);
  if (node == nullptr) return nullptr;
  node->str = static_cast<char*>(static_cast<ReplyArena*>(task->privdata)->Allocate(length + 1));
  if (node->str == nullptr) return nullptr;
  std::memcpy(node->str, text, length);
  node->str[length] = '\0';
  node->len = length;
  return Attach(*task, node);
}

void* CreateArray(const redisReadTask* task, int elements) {
  if (elements > kMaxElements) return nullptr;
  redisReply* const node = NewNode(*task);
  if (node == nullptr) return nullptr;
  const std::size_t bytes = static_cast<std::size_t>(elements) * sizeof(redisReply*);
  if (bytes > 0) {
    void* const memory = static_cast<ReplyArena*>(task->privdata)->Allocate(bytes);
    if (memory == nullptr) return nullptr;
    std::memset(memory, 0, bytes);
    node->element = static_cast<redisReply**>(memory);
  }
  node->elements = static_cast<std::size_t>(elements);
  return Attach(*task, node);
}

void* CreateInteger(const redisReadTask* task, long long value) {
  redisReply* const node = NewNode(*task);
  if (node == nullptr) return nullptr;
  node->integer = value;
  return Attach(*task, node);
}

void* CreateNil(const redisReadTask* task) {
  redisReply* const node = NewNode(*task);
  if (node == nullptr) return nullptr;
  node->type = REDIS_REPLY_NIL;  // The task's is that of what could have been there.
  return Attach(*task, node);
}

void Free(void* /*node*/) {}

redisReplyObjectFunctions kFunctions{CreateString, CreateArray, CreateInteger, CreateNil, Free};

}  // namespace

redisReader* ReplyArena::MakeReader() { return redisReaderCreateWithFunctions(&kFunctions); }

bool ReplyArena::AddBlock(std::size_t size) noexcept {
  try {
    blocks_.emplace_back(new std::byte[size]);
  } catch (const std::bad_alloc&) {
    return false;
  }
  next_ = blocks_.back().get();
  left_ = size;
  return true;
}

void* ReplyArena::Allocate(std::size_t size) noexcept {
  constexpr std::size_t kAlignment = alignof(redisReply);
  const std::size_t rounded = (size + kAlignment - 1) / kAlignment * kAlignment;
  if (rounded > left_) {
    const std::size_t block = blocks_.empty() ? kFirstBlockBytes : kBlockBytes;
    if (!AddBlock(std::max(block, rounded))) return nullptr;
  }
  left_ -= rounded;
  return std::exchange(next_, next_ + rounded);
}

}  // namespace postern::redis

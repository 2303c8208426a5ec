// Replies of Redis: read into the arena in any pieces, and taken apart as the worker does.

#include <memory>
#include <string>
#include <vector>

#include "services/common/redis/reply.h"
#include "services/common/redis/reply_arena.h"
#include "tests/fuzz/fuzz.h"
#include "worker/queue_entry.h"

namespace {

using postern::redis::Reply;
using postern::redis::ReplyArena;

struct ReaderDeleter {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

// A text for all that a reply holds, so that two readings can be compared.
void Write(const redisReply& reply, std::string& out) {
  out.append(std::to_string(reply.type)).push_back(':');
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      out.append(std::to_string(reply.integer));
      break;
    case REDIS_REPLY_ARRAY:
      out.append(std::to_string(reply.elements));
      for (std::size_t i = 0; i < reply.elements; ++i) Write(*reply.element[i], out);
      break;
    default:
      if (reply.str != nullptr) out.append(reply.str, reply.len);
  }
  out.push_back(';');
}

void TakeApart(const Reply& reply) {
  reply.ToStatus().IgnoreError();
  for (const bool streams : {true, false}) {
    std::vector<postern::worker::QueueEntry> entries;
    const bool fine = streams ? postern::worker::AppendStreams(reply.raw(), entries)
                              : postern::worker::AppendEntries(reply.raw(), 3, entries);
    if (!fine) continue;
    for (const postern::worker::QueueEntry& entry : entries) {
      entry.RawContent();
      std::string id;
      entry.key.id.AppendTo(id);
      FUZZ_REQUIRE(postern::worker::EntryId::Parse(id) == entry.key.id);
    }
  }
}

// The replies, and whether the stream was broken at its end.
std::string Read(std::string_view wire, std::size_t piece) {
  const auto arena = std::make_shared<ReplyArena>();
  const std::unique_ptr<redisReader, ReaderDeleter> reader(ReplyArena::MakeReader());
  reader->privdata = arena.get();
  std::string out;
  while (!wire.empty()) {
    const std::string_view next = postern::fuzz::Take(wire, piece);
    if (redisReaderFeed(reader.get(), next.data(), next.size()) != REDIS_OK) return out + "!";
    while (true) {
      void* raw = nullptr;
      if (redisReaderGetReply(reader.get(), &raw) != REDIS_OK) return out + "!";
      if (raw == nullptr) break;
      const Reply reply(arena, static_cast<redisReply*>(raw));
      TakeApart(reply);
      Write(reply.raw(), out);
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = postern::fuzz::View(data, size);
  const std::size_t piece = postern::fuzz::TakeByte(input) % 32 + 1;
  FUZZ_REQUIRE(Read(input, piece) == Read(input, input.size() + 1));
  return 0;
}

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "services/common/redis/command.h"
#include "services/common/redis/queue_layout.h"
#include "services/common/redis/reply.h"
#include "services/common/redis/reply_arena.h"

namespace postern::redis {
namespace {

using namespace std::string_literals;

Reply Parse(const std::string& wire) {
  redisReader* reader = redisReaderCreate();
  void* raw = nullptr;
  redisReaderFeed(reader, wire.data(), wire.size());
  redisReaderGetReply(reader, &raw);
  redisReaderFree(reader);
  return Reply(static_cast<redisReply*>(raw));
}

TEST(AppendCommand, WritesLengthsNotDelimiters) {
  std::string wire;
  AppendCommand(wire, "XADD", "k\r\n", ""s, "a\0b"s);
  EXPECT_EQ(wire, "*4\r\n$4\r\nXADD\r\n$3\r\nk\r\n\r\n$0\r\n\r\n$3\r\na\0b\r\n"s);
}

TEST(AppendCommand, AppendsToWhatIsThere) {
  std::string wire = "x";
  const std::vector<std::string_view> arguments(11, "y");
  AppendCommand(wire, std::span<const std::string_view>(arguments));
  EXPECT_EQ(wire.substr(0, 11), "x*11\r\n$1\r\ny");
}

TEST(Reply, ViewsText) {
  const Reply reply = Parse("$3\r\na\0b\r\n"s);
  EXPECT_EQ(reply.text(), "a\0b"s);
  EXPECT_FALSE(reply.IsError());
  EXPECT_TRUE(reply.ToStatus().ok());
  EXPECT_TRUE(Parse("$-1\r\n").IsNil());
  EXPECT_EQ(Parse("$-1\r\n").text(), "");
  EXPECT_EQ(Parse(":-7\r\n").integer(), -7);
}

TEST(Reply, TellsErrorsByTheirCode) {
  using absl::StatusCode;
  const std::vector<std::pair<std::string, StatusCode>> rows{
      {"NOGROUP No such key 'k' or consumer group", StatusCode::kNotFound},
      {"UNBLOCKED the stream key no longer exists", StatusCode::kNotFound},
      {"NOSCRIPT No matching script.", StatusCode::kNotFound},
      {"ERR no such key", StatusCode::kNotFound},
      {"ERR The XGROUP subcommand requires the key to exist.", StatusCode::kNotFound},
      {"OOM command not allowed when used memory > 'maxmemory'.", StatusCode::kUnavailable},
      {"MISCONF Errors writing to the AOF file", StatusCode::kUnavailable},
      {"BUSY Redis is busy", StatusCode::kUnavailable},
      {"LOADING Redis is loading the dataset in memory", StatusCode::kUnavailable},
      {"READONLY You can't write against a read only replica.", StatusCode::kUnavailable},
      {"MASTERDOWN Link with MASTER is down", StatusCode::kUnavailable},
      {"NOAUTH Authentication required.", StatusCode::kPermissionDenied},
      {"WRONGPASS invalid username-password pair", StatusCode::kPermissionDenied},
      {"NOPERM this user has no permissions", StatusCode::kPermissionDenied},
      {"BUSYGROUP Consumer Group name already exists", StatusCode::kAlreadyExists},
      {"BUSYNESS", StatusCode::kInternal},
      {"ERR syntax error", StatusCode::kInternal},
  };
  for (const auto& [text, code] : rows) {
    const absl::Status status = Parse("-" + text + "\r\n").ToStatus();
    EXPECT_EQ(status.code(), code) << text;
    EXPECT_EQ(std::string(status.message()), text);
  }
}

TEST(Reply, DoesNotRepeatArguments) {
  const Reply reply = Parse("-ERR unknown command 'X', with args beginning with: 'secret'\r\n");
  EXPECT_EQ(std::string(reply.ToStatus().message()), "ERR unknown command 'X'");
}

struct FreeReader {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

TEST(ReplyArena, HoldsRepliesOfAnyForm) {
  const std::unique_ptr<redisReader, FreeReader> reader(ReplyArena::MakeReader());
  auto arena = std::make_shared<ReplyArena>();
  reader->privdata = arena.get();
  const std::string large(200'000, 'x');
  const std::string wire = "*5\r\n$3\r\na\0b\r\n:42\r\n$-1\r\n*0\r\n*2\r\n+OK\r\n$200000\r\n"s +
                           large + "\r\n-ERR no such key\r\n";
  std::vector<Reply> replies;
  // Fed in pieces, as they come from a network.
  for (std::size_t at = 0; at < wire.size(); at += 1000) {
    ASSERT_EQ(redisReaderFeed(reader.get(), wire.data() + at,
                              std::min<std::size_t>(1000, wire.size() - at)),
              REDIS_OK);
    void* raw = nullptr;
    while (redisReaderGetReply(reader.get(), &raw) == REDIS_OK && raw != nullptr) {
      replies.emplace_back(arena, static_cast<redisReply*>(raw));
    }
  }
  arena.reset();
  ASSERT_EQ(replies.size(), 2U);
  const redisReply& list = replies[0].raw();
  ASSERT_EQ(list.elements, 5U);
  EXPECT_EQ(std::string(list.element[0]->str, list.element[0]->len), "a\0b"s);
  EXPECT_EQ(list.element[1]->integer, 42);
  EXPECT_EQ(list.element[2]->type, REDIS_REPLY_NIL);
  EXPECT_EQ(list.element[3]->elements, 0U);
  EXPECT_EQ(std::string(list.element[4]->element[0]->str), "OK");
  EXPECT_EQ(std::string(list.element[4]->element[1]->str), large);
  EXPECT_EQ(replies[1].ToStatus().code(), absl::StatusCode::kNotFound);
}

TEST(ReplyArena, RefusesHugeArrays) {
  const std::unique_ptr<redisReader, FreeReader> reader(ReplyArena::MakeReader());
  ReplyArena arena;
  reader->privdata = &arena;
  const std::string wire = "*2000000000\r\n";
  void* raw = nullptr;
  redisReaderFeed(reader.get(), wire.data(), wire.size());
  EXPECT_NE(redisReaderGetReply(reader.get(), &raw), REDIS_OK);
}

TEST(QueueLayout, NamesKeysByShard) {
  EXPECT_EQ(StreamKey(0), "postern:{0}:messages");
  EXPECT_EQ(StreamKey(15), "postern:{15}:messages");
  EXPECT_EQ(RequeuedKey(7), "postern:{7}:requeued");
}

// Stored messages depend on these values: a change needs a migration.
TEST(QueueLayout, ShardsAreStable) {
  EXPECT_EQ(ShardOf(""), 2166136261U % kShards);
  EXPECT_EQ(ShardOf("a"), 0xe40c292cU % kShards);
  EXPECT_EQ(ShardOf("foobar"), 0xbf9cf968U % kShards);
}

TEST(QueueLayout, SpreadsClients) {
  std::set<std::uint32_t> shards;
  for (int i = 0; i < 200; ++i) shards.insert(ShardOf("client-" + std::to_string(i)));
  EXPECT_EQ(shards.size(), kShards);
}

}  // namespace
}  // namespace postern::redis

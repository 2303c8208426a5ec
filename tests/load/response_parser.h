#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace postern::load {

using MessageId = std::array<std::uint8_t, 16>;

// What the generator wants to know of an answer.
struct Answer {
  int status = 0;
  bool close = false;                  // The server closes the connection after it.
  std::chrono::seconds retry_after{};  // Zero when not given.
  std::optional<MessageId> id;         // The member `id` of the body.
  std::string_view body;               // As long as the text that was parsed.
};

// The outcomes in the answer to a batch, in their order: the message's id, or nullopt for a
// refusal. False when there are not `messages` of them.
bool ParseBatchAnswer(std::string_view body, std::size_t messages,
                      std::vector<std::optional<MessageId>>& outcomes);

enum class ParseResult { kIncomplete, kComplete, kMalformed };

// Reads one HTTP/1.1 answer with Content-Length from the start of `data`. It knows what an edge
// sends, no more: no chunks, no continuation lines. `consumed` is the answer's size in bytes when
// complete.
ParseResult ParseAnswer(std::string_view data, Answer& answer, std::size_t& consumed);

// The 36-character text form of a UUID, lower case or upper. Empty when it is none.
std::optional<MessageId> ParseMessageId(std::string_view text);

}  // namespace postern::load

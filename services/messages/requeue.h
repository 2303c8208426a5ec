#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::messages {

// Appends the command that puts a message into the queue again and counts it, so that
// accepted = entries-added - requeued. Both or neither, since a script is one step. Its reply is
// the new entry's id.
void AppendRequeue(std::string& wire, std::uint32_t shard, std::string_view envelope);

// Appends the command that takes such an entry away. Its count among the re-enqueued stays:
// entries-added counts it, too.
void AppendRemoval(std::string& wire, std::uint32_t shard, std::string_view entry_id);

}  // namespace postern::messages

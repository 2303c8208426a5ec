#include "services/common/redis/command.h"

#include <charconv>

namespace postern::redis {
namespace {

void AppendLength(std::string& wire, char kind, std::size_t length) {
  std::array<char, 24> text;
  text[0] = kind;
  char* const end = std::to_chars(text.data() + 1, text.data() + text.size(), length).ptr;
  wire.append(text.data(), end);
  wire.append("\r\n", 2);
}

}  // namespace

void AppendCommand(std::string& wire, std::span<const std::string_view> arguments) {
  AppendLength(wire, '*', arguments.size());
  for (const std::string_view argument : arguments) {
    AppendLength(wire, '$', argument.size());
    wire.append(argument);
    wire.append("\r\n", 2);
  }
}

}  // namespace postern::redis

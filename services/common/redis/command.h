#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace postern::redis {

// Appends one command in RESP to `wire`, binary-safe. A plain function on purpose: g++ 12
// miscompiles initializer lists of views in coroutines.
void AppendCommand(std::string& wire, std::span<const std::string_view> arguments);

template <typename... Arguments>
void AppendCommand(std::string& wire, const Arguments&... arguments) {
  const std::array<std::string_view, sizeof...(Arguments)> views{std::string_view(arguments)...};
  AppendCommand(wire, std::span<const std::string_view>(views));
}

}  // namespace postern::redis

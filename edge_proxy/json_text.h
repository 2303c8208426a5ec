#pragma once

#include <string>
#include <string_view>

namespace postern::edge {

// Appends `text` as a JSON string with its quotes. `text` must be valid UTF-8; only quotes,
// backslashes and control characters are escaped.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace postern::edge

#pragma once

#include <string_view>

namespace postern {

// The version of this build, such as `0.1.0`.
std::string_view Version();

}  // namespace postern

#pragma once

#include <cstdint>
#include <string>

namespace postern {

// By what a file is known to have changed, or to have been put in the place of another. The time
// alone would not tell: file systems count it in ticks of some milliseconds.
struct FileMark {
  std::int64_t written_ns = -1;  // Since the Unix epoch. -1: there is no file.
  std::uint64_t inode = 0;

  bool operator==(const FileMark&) const = default;
};

FileMark MarkOf(const std::string& path);

}  // namespace postern

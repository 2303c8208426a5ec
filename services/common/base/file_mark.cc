#include "services/common/base/file_mark.h"

#include <sys/stat.h>

namespace postern {

FileMark MarkOf(const std::string& path) {
  constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {.written_ns = info.st_mtim.tv_sec * kNanosPerSecond + info.st_mtim.tv_nsec,
          .inode = info.st_ino};
}

}  // namespace postern

#include "services/common/http/static_files.h"

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"

namespace postern::http {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kBytesMax = 16 * 1024 * 1024;
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kTypes{{
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".yaml", "application/yaml"},
    {".md", "text/plain; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
}};

// Scripts and styles of our own only; the page of the interface writes styles itself.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

std::string_view TypeOf(const fs::path& path) {
  for (const auto& [ending, type] : kTypes) {
    if (path.extension() == ending) return type;
  }
  return {};
}

}  // namespace

absl::StatusOr<StaticFiles> StaticFiles::Read(const std::string& folder) {
  StaticFiles files;
  std::size_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string_view type = TypeOf(it->path());
    if (!it->is_regular_file() || type.empty()) continue;
    absl::StatusOr<std::string> content = ReadFile(it->path().string());
    if (!content.ok()) return content.status();
    bytes += content->size();
    if (bytes > kBytesMax) {
      return absl::ResourceExhaustedError(StrCat(folder, " holds more than 16 MiB"));
    }
    Response response;
    response.content_type = type;
    response.body = *std::move(content);
    response.fields.emplace_back("Content-Security-Policy", kPolicy);
    response.fields.emplace_back("X-Content-Type-Options", "nosniff");
    response.fields.emplace_back("Cache-Control", "no-cache");
    files.files_.emplace(fs::relative(it->path(), folder).generic_string(), std::move(response));
  }
  if (error) return absl::NotFoundError(StrCat(folder, ": ", error.message()));
  return files;
}

const Response* StaticFiles::Find(std::string_view path) const {
  std::string whole;
  if (path.empty() || path.back() == '/') {
    whole.append(path).append("index.html");
    path = whole;
  }
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : &found->second;
}

}  // namespace postern::http

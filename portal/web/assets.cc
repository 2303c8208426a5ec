#include "portal/web/assets.h"

#include <array>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "services/common/base/encoding.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/hash.h"

namespace postern::portal {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kTypes{{
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".txt", "text/plain; charset=utf-8"},
}};
// What the pages cannot do without.
constexpr std::array<std::string_view, 6> kNeeded{"bootstrap.css", "portal.css", "uplot.css",
                                                  "htmx.js",       "portal.js",  "uplot.js"};
constexpr std::size_t kHashDigits = 16;
constexpr std::string_view kRoot = "/assets/";

}  // namespace

absl::StatusOr<std::shared_ptr<const Assets>> Assets::Load(const std::string& folder) {
  auto assets = std::make_shared<Assets>();
  std::error_code ec;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ec)) {
    for (const auto& [suffix, type] : kTypes) {
      if (entry.path().extension() != suffix) continue;
      absl::StatusOr<std::string> content = ReadFile(entry.path().string());
      if (!content.ok()) return content.status();
      absl::StatusOr<std::string> zipped = ReadFile(entry.path().string() + ".gz");
      File file;
      file.name = entry.path().filename().string();
      file.content_type = std::string(type);
      const std::string hash = HexEncode(crypto::Sha256(*content)).substr(0, kHashDigits);
      file.plain = *std::move(content);
      if (zipped.ok()) file.zipped = *std::move(zipped);
      std::string url = StrCat(kRoot, hash, "/", file.name);
      assets->urls_[file.name] = url;
      assets->by_path_.emplace(std::move(url), std::move(file));
    }
  }
  if (ec) return absl::NotFoundError(StrCat("folder of assets ", folder, ": ", ec.message()));
  for (const std::string_view name : kNeeded) {
    if (!assets->urls_.contains(name)) {
      return absl::NotFoundError(StrCat("folder of assets ", folder, " holds no ", name,
                                        ": build the target postern_portal_assets"));
    }
  }
  return assets;
}

std::string Assets::Url(std::string_view name) const {
  const auto found = urls_.find(name);
  return found == urls_.end() ? std::string() : found->second;
}

http::Response Assets::Answer(const http::Request& request) const {
  http::Response response;
  response.content_type = "text/plain; charset=utf-8";
  const auto found = by_path_.find(request.path);
  if (found == by_path_.end()) {
    response.status = 404;
    response.body = "There is no such file.\n";
    response.fields.emplace_back("Cache-Control", "no-store");
    return response;
  }
  const File& file = found->second;
  const bool zipped =
      !file.zipped.empty() &&
      absl::StrContains(ToAbsl(request.Field("accept-encoding").value_or("")), "gzip");
  response.content_type = file.content_type;
  response.body = zipped ? file.zipped : file.plain;
  if (zipped) response.fields.emplace_back("Content-Encoding", "gzip");
  response.fields.emplace_back("Vary", "Accept-Encoding");
  response.fields.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
  return response;
}

}  // namespace postern::portal

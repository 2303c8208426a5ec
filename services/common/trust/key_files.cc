#include "services/common/trust/key_files.h"

#include <filesystem>
#include <string>
#include <system_error>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/tls/key_pair.h"

namespace postern::trust {
namespace {

namespace fs = std::filesystem;

std::string NextKey(const tls::Files& files) { return files.key + ".next"; }

absl::Status TakeNextKey(const tls::Files& files) {
  std::error_code error;
  fs::rename(NextKey(files), files.key, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(StrCat("cannot rename over ", files.key, ": ", error.message()));
}

}  // namespace

absl::Status ReplaceKeyPair(const tls::Files& files, std::string_view chain_pem,
                            std::string_view key_pem) {
  std::error_code none;
  const fs::perms mode = fs::status(files.certificate, none).permissions();
  if (absl::Status s = WriteFileAtomically(NextKey(files), key_pem); !s.ok()) return s;
  if (absl::Status s = WriteFileAtomically(files.certificate, chain_pem); !s.ok()) return s;
  if (absl::Status s = TakeNextKey(files); !s.ok()) return s;
  fs::permissions(files.certificate, mode, none);
  return absl::OkStatus();
}

absl::Status FinishReplacing(const tls::Files& files) {
  std::error_code none;
  if (!fs::exists(NextKey(files), none)) return absl::OkStatus();
  if (tls::ReadKeyPair(files).ok()) {
    fs::remove(NextKey(files), none);
    return absl::OkStatus();
  }
  tls::Files next = files;
  next.key = NextKey(files);
  return tls::ReadKeyPair(next).ok() ? TakeNextKey(files) : absl::OkStatus();
}

}  // namespace postern::trust

#include "services/audit/checkpoint_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"

namespace postern::audit {
namespace {

absl::Status Failed(std::string_view what, const std::string& path) {
  return absl::InternalError(StrCat("cannot ", what, " ", path, ": ", std::strerror(errno)));
}

absl::Status At(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), StrCat(path, ": ", ToStd(status.message())));
}

absl::StatusOr<CheckpointSigner> OpenKey(const std::string& folder) {
  const std::string path = folder + "/checkpoint.key";
  const auto pem = ReadSecretFile(path);
  if (pem.ok()) {
    auto signer = CheckpointSigner::FromPem(*pem);
    if (!signer.ok()) return At(path, signer.status());
    return signer;
  }
  if (pem.status().code() != absl::StatusCode::kNotFound) return pem.status();
  CheckpointSigner signer = CheckpointSigner::Generate();
  if (absl::Status s = WriteFileAtomically(path, signer.PrivatePem()); !s.ok()) return s;
  return signer;
}

// The checkpoints; what a kill left of a last line is cut off the file.
absl::StatusOr<std::vector<Checkpoint>> ReadCheckpoints(const std::string& path,
                                                        const CheckpointSigner& signer) {
  const auto content = ReadFile(path);
  if (content.status().code() == absl::StatusCode::kNotFound) return std::vector<Checkpoint>();
  if (!content.ok()) return content.status();
  const std::size_t whole = content->rfind('\n') + 1;  // npos + 1 is 0.
  if (whole != content->size() && ::truncate(path.c_str(), static_cast<off_t>(whole)) != 0) {
    return Failed("cut", path);
  }
  CheckpointReader reader;
  if (absl::Status s = reader.AddKey(signer.PublicPem()); !s.ok()) return s;
  // The last line is enough to go on; the rest is the verifier's business.
  const std::size_t last = whole == 0 ? 0 : content->rfind('\n', whole - 2) + 1;
  auto checkpoints = reader.Read(std::string_view(*content).substr(last, whole - last));
  if (!checkpoints.ok()) return At(StrCat(path, ": its last line"), checkpoints.status());
  return checkpoints;
}

}  // namespace

CheckpointFile::CheckpointFile(std::string path, CheckpointSigner signer,
                               std::optional<Checkpoint> last)
    : path_(std::move(path)), signer_(std::move(signer)), last_(std::move(last)) {}

absl::StatusOr<CheckpointFile> CheckpointFile::Open(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return Failed("make", folder);
  auto signer = OpenKey(folder);
  if (!signer.ok()) return signer.status();
  if (absl::Status s = WriteFileAtomically(folder + "/checkpoint.pub", signer->PublicPem());
      !s.ok()) {
    return s;
  }
  std::string path = folder + "/checkpoints.jsonl";
  auto checkpoints = ReadCheckpoints(path, *signer);
  if (!checkpoints.ok()) return checkpoints.status();
  std::optional<Checkpoint> last;
  if (!checkpoints->empty()) last = std::move(checkpoints->back());
  return CheckpointFile(std::move(path), *std::move(signer), std::move(last));
}

absl::Status CheckpointFile::Add(const Checkpoint& checkpoint) {
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("open", path_);
  const absl::Cleanup close_fd = [fd] { ::close(fd); };
  const off_t before = ::lseek(fd, 0, SEEK_END);
  const std::string line = signer_.Line(checkpoint);
  if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      ::fdatasync(fd) != 0) {
    absl::Status failed = Failed("write", path_);
    // A full disk leaves half a line, which would spoil the next one.
    if (::ftruncate(fd, before) != 0) return Failed("cut", path_);
    return failed;
  }
  last_ = checkpoint;
  return absl::OkStatus();
}

}  // namespace postern::audit

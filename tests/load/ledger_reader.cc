#include "tests/load/ledger_reader.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"

namespace postern::load {
namespace {

// Takes values from a file. After the end was met, `ok()` is false and values are zero.
class Source {
 public:
  explicit Source(const std::string& path) : file_(path, std::ios::binary) {
    buffer_.resize(1 << 20);
    file_.rdbuf()->pubsetbuf(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  }
  bool ok() const { return static_cast<bool>(file_); }

  template <typename Number>
  Number Take() {
    Number number{};
    static_assert(std::is_integral_v<Number>);
    Read(reinterpret_cast<char*>(&number), sizeof(number));
    return number;
  }
  template <std::size_t size>
  void Take(std::array<std::uint8_t, size>& bytes) {
    Read(reinterpret_cast<char*>(bytes.data()), size);
  }
  std::string TakeString(std::size_t size) {
    std::string text(size, '\0');
    Read(text.data(), size);
    return text;
  }

 private:
  void Read(char* to, std::size_t size) { file_.read(to, static_cast<std::streamsize>(size)); }
  std::string buffer_;
  std::ifstream file_;
};

ClientRecord TakeClient(Source& source) {
  ClientRecord record;
  record.index = source.Take<std::uint16_t>();
  record.client_id = source.TakeString(source.Take<std::uint8_t>());
  return record;
}

AttemptRecord TakeAttempt(Source& source) {
  AttemptRecord record;
  record.client = source.Take<std::uint16_t>();
  source.Take(record.nonce);
  source.Take(record.body_sha256);
  record.at_us = source.Take<std::int64_t>();
  return record;
}

OutcomeRecord TakeOutcome(Source& source) {
  OutcomeRecord record;
  record.outcome = static_cast<Outcome>(source.Take<std::uint8_t>());
  record.status = source.Take<std::uint16_t>();
  source.Take(record.nonce);
  source.Take(record.id);
  record.at_us = source.Take<std::int64_t>();
  return record;
}

}  // namespace

absl::StatusOr<std::int64_t> ReadLedger(const std::string& path, const LedgerVisitor& visitor) {
  Source source(path);
  if (!source.ok()) return absl::NotFoundError(absl::StrCat("ledger ", path, " cannot be read"));
  const std::string magic = source.TakeString(kLedgerMagic.size());
  const auto started_at_us = source.Take<std::int64_t>();
  if (!source.ok() || magic != kLedgerMagic) {
    return absl::DataLossError(absl::StrCat(path, " is not a ledger"));
  }
  while (true) {
    const char kind = source.Take<char>();
    if (!source.ok()) return started_at_us;
    if (kind == 'C') {
      const ClientRecord record = TakeClient(source);
      if (source.ok()) visitor.on_client(record);
    } else if (kind == 'A') {
      const AttemptRecord record = TakeAttempt(source);
      if (source.ok()) visitor.on_attempt(record);
    } else if (kind == 'O') {
      const OutcomeRecord record = TakeOutcome(source);
      if (source.ok()) visitor.on_outcome(record);
    } else {
      return absl::DataLossError(absl::StrCat(path, ": a record of unknown kind"));
    }
  }
}

}  // namespace postern::load

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "services/common/db/connection.h"
#include "tests/load/preload_message.h"
#include "tests/load/preload_sealer.h"

namespace postern::load {

// Collects rows of preloaded messages and writes them in large statements: as text, since binding
// millions of values costs more than parsing them. Not thread-safe.
class PreloadWriter {
 public:
  explicit PreloadWriter(const PreloadKeys& keys) : sealer_(keys) {}

  void Add(const PreloadMessage& message);
  // Writes what was added, in the transaction that `connection` has open.
  absl::Status Write(db::Connection& connection);

  std::int64_t delivered() const { return delivered_; }

 private:
  void AddDelivered(const PreloadMessage& message, const v1::Envelope& envelope);
  void AddPending(const PreloadMessage& message, const v1::Envelope& envelope);
  void AddCommon(std::string& rows, const PreloadMessage& message);

  PreloadSealer sealer_;
  std::string delivered_rows_;
  std::string pending_rows_;
  std::int64_t delivered_ = 0;
};

}  // namespace postern::load

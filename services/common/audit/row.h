#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::audit {

// A row of the audit log, as it is stored.
struct Row {
  std::int64_t sequence = 0;  // From 1, without gaps.
  std::int64_t at_us = 0;     // Microseconds since the Unix epoch.
  std::string actor;
  std::string action;
  std::string target;
  std::int64_t outcome = 0;  // Of Outcome, or what somebody made of it.
  std::string details;       // JSON, byte for byte.
  std::string hash;          // 32 bytes.
};

// The last row of a log.
struct Head {
  std::int64_t sequence = 0;
  std::string hash;
};

// The hash before the first row: 32 zero bytes.
std::string FirstHash();

// The row in its canonical form, format 1: the byte 1; sequence and at_us as 8 bytes each; outcome
// as 1 byte; then actor, action, target and details, each as its length in 4 bytes and its bytes.
// Numbers are big-endian.
std::string EncodeRow(const Row& row);

// SHA-256 of `previous_hash` and EncodeRow(row): what row.hash has to be.
std::string HashOfRow(std::string_view previous_hash, const Row& row);

}  // namespace postern::audit

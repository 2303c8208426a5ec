#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/load/request_text.h"
#include "tests/load/response_parser.h"

// The ledger of a load run: what was attempted, and what became of it. A binary file that only
// grows, integers little-endian, times in microseconds since the Unix epoch.
//
//   header   "PSTNLDG1" (8 bytes)  started_at (8)
//   then records, each beginning with its kind (1 byte):
//   client   'C'  index (2)  length (1)  client id (length)                       before the first
//   attempt of that client attempt  'A'  client index (2)  nonce (16)  SHA-256 of the body (32)
//   time (8)     before the request is sent outcome  'O'  outcome (1)  HTTP status (2)  nonce (16)
//   message id (16)  time (8)  once it is known
//
// Outcomes: 1 acknowledged (202 with an id), 2 refused (another status), 3 indeterminate (the
// connection broke, no answer in time). The message id is zero unless acknowledged, the status is
// zero when indeterminate. An attempt without an outcome is indeterminate. A record that the file's
// end cuts was not finished and counts as absent.
namespace postern::load {

inline constexpr std::string_view kLedgerMagic = "PSTNLDG1";

enum class Outcome : std::uint8_t { kAcknowledged = 1, kRefused = 2, kIndeterminate = 3 };

struct ClientRecord {
  std::uint16_t index = 0;
  std::string client_id;
};

struct AttemptRecord {
  std::uint16_t client = 0;
  Nonce nonce{};
  Sha256Digest body_sha256{};
  std::int64_t at_us = 0;
};

struct OutcomeRecord {
  Outcome outcome = Outcome::kIndeterminate;
  std::uint16_t status = 0;
  Nonce nonce{};
  MessageId id{};
  std::int64_t at_us = 0;
};

// Append one record to `out`.
void AppendHeader(std::string& out, std::int64_t started_at_us);
void AppendRecord(std::string& out, const ClientRecord& record);
void AppendRecord(std::string& out, const AttemptRecord& record);
void AppendRecord(std::string& out, const OutcomeRecord& record);

}  // namespace postern::load

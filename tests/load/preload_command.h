#pragma once

#include <cstdint>
#include <string>

namespace postern::load {

struct PreloadSettings {
  std::int64_t messages = 1'000'000;
  std::int64_t clients = 50;
  std::int64_t days = 1;
  bool delivered_only = false;
  std::string ctl_config;
  std::string master_key_file;
  std::string index_key_file;
  std::string sample_file;  // Empty: none.
};

// Fills an empty register that no server writes to with messages as PreloadMessages makes them,
// accepted over some days that ended an hour ago: rows whose ciphertexts open, in partitions of a
// day each, with their clients and statistics, and both sides of the ledger raised. The sample is
// some thousand of the messages, a JSON object a line: id, client, number, ref, state,
// accepted_at_us. Prints one JSON line with `messages`, `seconds` and `rows_per_s`. Gives the exit
// code.
int RunPreload(const PreloadSettings& settings);

}  // namespace postern::load

#include "tests/load/ledger_format.h"

#include <array>
#include <bit>
#include <type_traits>

namespace postern::load {
namespace {

static_assert(std::endian::native == std::endian::little, "the ledger is little-endian");

template <typename Number>
void AppendNumber(std::string& out, Number number) {
  static_assert(std::is_integral_v<Number>);
  out.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

template <std::size_t size>
void AppendBytes(std::string& out, const std::array<std::uint8_t, size>& bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), size);
}

}  // namespace

void AppendHeader(std::string& out, std::int64_t started_at_us) {
  out.append(kLedgerMagic);
  AppendNumber(out, started_at_us);
}

void AppendRecord(std::string& out, const ClientRecord& record) {
  out.push_back('C');
  AppendNumber(out, record.index);
  AppendNumber(out, static_cast<std::uint8_t>(record.client_id.size()));
  out.append(record.client_id);
}

void AppendRecord(std::string& out, const AttemptRecord& record) {
  out.push_back('A');
  AppendNumber(out, record.client);
  AppendBytes(out, record.nonce);
  AppendBytes(out, record.body_sha256);
  AppendNumber(out, record.at_us);
}

void AppendRecord(std::string& out, const OutcomeRecord& record) {
  out.push_back('O');
  AppendNumber(out, static_cast<std::uint8_t>(record.outcome));
  AppendNumber(out, record.status);
  AppendBytes(out, record.nonce);
  AppendBytes(out, record.id);
  AppendNumber(out, record.at_us);
}

}  // namespace postern::load

// JSON and validation: the scanner agrees with another parser on what is JSON, and a message that
// is let through, alone or in a batch, keeps every rule.

#include <nlohmann/json.hpp>
#include <string>

#include "edge_proxy/batch_request.h"
#include "edge_proxy/json_scanner.h"
#include "edge_proxy/limits.h"
#include "edge_proxy/message_request.h"
#include "edge_proxy/message_rules.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace postern::edge;

constexpr std::size_t kDeep = 64;

// Counts, and sees numbers that the other parser does not take.
class Counter final : public JsonHandler {
 public:
  void OnNull() override {}
  void OnBoolean(bool) override {}
  void OnNumber(std::string_view text) override { huge = huge || !nlohmann::json::accept(text); }
  void OnString(std::string_view value) override { CountCodePoints(value); }
  void OnKey(std::string_view) override {}
  void OnStartObject() override { ++open; }
  void OnStartArray() override { ++open; }
  void OnEnd() override {
    --open;
    FUZZ_REQUIRE(open >= 0);
  }
  int open = 0;
  bool huge = false;
};

void CheckScanner(std::string_view text) {
  Counter counter;
  const JsonFault fault = ScanJson(text, kDeep, counter);
  FUZZ_REQUIRE(fault.offset <= text.size());
  // The other parser skips a byte order mark, and takes NUL for the end of the text.
  const bool lenient = text.substr(0, 3) == "\xEF\xBB\xBF" || text.find('\0') != text.npos;
  if (lenient) FUZZ_REQUIRE(fault.kind != JsonFault::Kind::kNone);
  if (lenient || counter.huge || fault.kind == JsonFault::Kind::kTooDeep) return;
  FUZZ_REQUIRE(nlohmann::json::accept(text) == (fault.kind == JsonFault::Kind::kNone));
  if (fault.kind == JsonFault::Kind::kNone) FUZZ_REQUIRE(counter.open == 0);
}

void CheckMessage(const ParsedMessage& parsed) {
  if (parsed.problem) return;
  const MessageRequest& request = parsed.request;
  FUZZ_REQUIRE(IsE164(request.sender_number));
  const std::size_t characters = CountCodePoints(request.message_body);
  FUZZ_REQUIRE(characters >= 1 && characters <= kMessageCodePointsMax);
  FUZZ_REQUIRE(!HasNul(request.message_body));
  FUZZ_REQUIRE(request.client_ref.empty() || IsClientRef(request.client_ref));
  FUZZ_REQUIRE(request.metadata_json.size() <= kMetadataBytesMax);
  FUZZ_REQUIRE(request.idempotency_key.empty() || IsIdempotencyKey(request.idempotency_key));
  if (request.metadata_json.empty()) return;
  const auto metadata = nlohmann::json::parse(request.metadata_json, nullptr, false);
  FUZZ_REQUIRE(metadata.is_object() || metadata.is_discarded());
  if (metadata.is_object()) FUZZ_REQUIRE(metadata.size() <= kMetadataMembersMax);
}

void CheckBatch(std::string_view text) {
  const ParsedBatch parsed = ParseBatchRequest(text, "client-00");
  if (parsed.problem) return;
  FUZZ_REQUIRE(!parsed.messages.empty() && parsed.messages.size() <= kBatchMessagesMax);
  for (const ParsedMessage& message : parsed.messages) CheckMessage(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = postern::fuzz::View(data, size);
  CheckScanner(text);
  CheckMessage(ParseMessageRequest(text, "client-00"));
  CheckBatch(text);
  IsJsonMediaType(text);
  return 0;
}

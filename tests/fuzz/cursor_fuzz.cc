// Cursors: page tokens and bounds of a list, ids of entries, ids and times in text. What is read is
// written back the same.

#include <string>

#include "postern/v1/message_service.pb.h"
#include "services/common/base/time.h"
#include "services/common/base/uuid.h"
#include "services/messages/envelope_check.h"
#include "services/messages/limits.h"
#include "services/messages/list_query.h"
#include "services/messages/page_token.h"
#include "tests/fuzz/fuzz.h"
#include "worker/queue_entry.h"

namespace {

using namespace postern;

std::string HashNumber(std::string_view) { return std::string(32, 'h'); }

void CheckQuery(const v1::ListMessagesRequest& request) {
  const auto query = messages::QueryOf(request, HashNumber);
  if (!query.ok()) {
    FUZZ_REQUIRE(query.status().code() == absl::StatusCode::kInvalidArgument);
    return;
  }
  FUZZ_REQUIRE(query->limit >= 1 && query->limit <= messages::kPageMax);
  FUZZ_REQUIRE(query->accepted_from_us >= 0 && query->accepted_until_us >= 0);
  FUZZ_REQUIRE(!(query->before.has_value() && query->after.has_value()));
  if (!query->before) return;
  v1::ListMessagesRequest next;
  next.set_page_token(messages::PageTokenOf(*query->before));
  FUZZ_REQUIRE(messages::QueryOf(next, HashNumber)->before == query->before);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::View(data, size));
  v1::ListMessagesRequest request;
  request.set_page_token(text);
  CheckQuery(request);
  request.Clear();
  if (request.ParseFromString(text)) CheckQuery(request);

  if (const auto id = worker::EntryId::Parse(text)) {
    std::string written;
    id->AppendTo(written);
    FUZZ_REQUIRE(worker::EntryId::Parse(written) == *id);
  }
  FUZZ_REQUIRE(messages::EntryTimeMicros(text) >= 0);
  if (const auto id = Uuid::Parse(text); id.ok()) FUZZ_REQUIRE(Uuid::Parse(id->ToString()) == id);
  if (const auto at = ParseRfc3339(text); at.ok()) {
    const auto again = ParseRfc3339(FormatRfc3339(*at));
    // The text has milliseconds.
    FUZZ_REQUIRE(again.ok() && *again <= *at && *at - *again < 1000);
  }
  return 0;
}

// What reading a message's JSON costs: the edge's own scanner against nlohmann's SAX parser, both
// giving every event to a handler. One JSON line; the figures behind docs/adr/0009-json-scanner.md.

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "edge_proxy/json_scanner.h"
#include "edge_proxy/limits.h"

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size); memory != nullptr) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

constexpr int kTexts = 200'000;
constexpr int kRounds = 5;

// Takes every event and keeps a sum, so that nothing is optimised away.
class Counter final : public postern::edge::JsonHandler {
 public:
  void OnNull() override { ++sum; }
  void OnBoolean(bool value) override { sum += value ? 1 : 2; }
  void OnNumber(std::string_view text) override { sum += text.size(); }
  void OnString(std::string_view value) override { sum += value.size(); }
  void OnKey(std::string_view name) override { sum += name.size(); }
  void OnStartObject() override { ++sum; }
  void OnStartArray() override { ++sum; }
  void OnEnd() override { ++sum; }
  std::size_t sum = 0;
};

class NlohmannCounter final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return Add(1); }
  bool boolean(bool value) override { return Add(value ? 1 : 2); }
  bool number_integer(number_integer_t) override { return Add(1); }
  bool number_unsigned(number_unsigned_t) override { return Add(1); }
  bool number_float(number_float_t, const string_t& text) override { return Add(text.size()); }
  bool string(string_t& value) override { return Add(value.size()); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Add(1); }
  bool key(string_t& name) override { return Add(name.size()); }
  bool end_object() override { return Add(1); }
  bool start_array(std::size_t) override { return Add(1); }
  bool end_array() override { return Add(1); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }
  std::size_t sum = 0;

 private:
  bool Add(std::size_t amount) {
    sum += amount;
    return true;
  }
};

// As a client sends it: 160 characters of text, two of them escaped, and some metadata.
std::string TypicalText() {
  nlohmann::ordered_json message;
  message["sender_number"] = "+14155550123";
  message["message_body"] = std::string(79, 'a') + "\n\"" + std::string(79, 'b');
  message["metadata"]["client_id"] = "client-00";
  message["metadata"]["client_ref"] = "order-4711";
  message["metadata"]["timestamp"] = "2026-11-22T03:24:58.123Z";
  return message.dump();
}

struct Cost {
  double ns = 0;  // Of processor time per text; the best round, which the machine disturbed least.
  double allocations = 0;  // Per text.
};

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <typename Read>
Cost Measure(Read read) {
  Cost cost;
  cost.ns = 1e12;
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t allocated = allocations;
    const double begin = CpuSeconds();
    for (int i = 0; i < kTexts; ++i) read();
    cost.ns = std::min(cost.ns, (CpuSeconds() - begin) * 1e9 / kTexts);
    cost.allocations = static_cast<double>(allocations - allocated) / kTexts;
  }
  return cost;
}

}  // namespace

int main() {
  const std::string text = TypicalText();
  Counter counter;
  NlohmannCounter nlohmann_counter;
  bool good = true;
  const Cost ours = Measure([&] {
    const auto fault = postern::edge::ScanJson(text, postern::edge::kJsonDepthMax, counter);
    good = good && fault.kind == postern::edge::JsonFault::Kind::kNone;
  });
  const Cost theirs =
      Measure([&] { good = nlohmann::json::sax_parse(text, &nlohmann_counter) && good; });
  if (!good || counter.sum == 0 || nlohmann_counter.sum == 0) {
    std::fprintf(stderr, "json_benchmark: a text was not read\n");
    return 1;
  }
  std::printf(
      "{\"bytes\": %zu, \"scanner_ns\": %.0f, \"scanner_allocations\": %.1f, "
      "\"nlohmann_ns\": %.0f, \"nlohmann_allocations\": %.1f, \"ratio\": %.2f}\n",
      text.size(), ours.ns, ours.allocations, theirs.ns, theirs.allocations, theirs.ns / ours.ns);
}

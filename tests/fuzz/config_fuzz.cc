// Configuration files: every fault is a status, and what is taken keeps its bounds.

#include <string>
#include <vector>

#include "edge_proxy/settings.h"
#include "services/common/config/config.h"
#include "tests/fuzz/fuzz.h"
#include "worker/settings.h"

namespace {

using postern::config::Schema;

// One key of every kind.
void CheckEveryKind(const std::string& text) {
  std::int64_t number = 5;
  std::chrono::milliseconds time{7};
  bool flag = false;
  std::string name = "name";
  std::string choice = "a";
  std::string path;
  std::vector<std::string> list;
  Schema schema;
  schema.Int("number", &number, 1, 10, "");
  schema.Duration("part.time_ms", &time, std::chrono::milliseconds(1), std::chrono::seconds(1), "");
  schema.Bool("part.flag", &flag, "");
  schema.String("name", &name, Schema::Presence::kRequired, "");
  schema.Choice("choice", &choice, {"a", "b"}, "");
  schema.Path("path", &path, Schema::Presence::kOptional, "");
  schema.StringList("list", &list, Schema::Presence::kOptional, "");
  if (!schema.LoadText("/etc/fuzz.yaml", text).ok()) return;
  FUZZ_REQUIRE(number >= 1 && number <= 10);
  FUZZ_REQUIRE(time >= std::chrono::milliseconds(1) && time <= std::chrono::seconds(1));
  FUZZ_REQUIRE(!name.empty());
  FUZZ_REQUIRE(choice == "a" || choice == "b");
  FUZZ_REQUIRE(path.empty() || path.front() == '/');
  schema.Print();
}

template <typename Settings, typename Make>
void CheckProgram(Make make, const std::string& text) {
  Settings settings;
  Schema schema = make(settings);
  schema.LoadText("/etc/fuzz.yaml", text).IgnoreError();
  schema.Print();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(postern::fuzz::View(data, size));
  CheckEveryKind(text);
  CheckProgram<postern::edge::Settings>(postern::edge::MakeSchema, text);
  CheckProgram<postern::worker::Settings>(postern::worker::MakeSchema, text);
  return 0;
}

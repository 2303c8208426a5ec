#include "tests/load/run_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"

namespace postern::load {
namespace {

double PerSecond(std::int64_t count, const RunResult& result) {
  const std::int64_t micros = result.window_until_us - result.window_from_us;
  return micros > 0 ? static_cast<double>(count) * 1e6 / static_cast<double>(micros) : 0;
}

double Rounded(double value) {
  return static_cast<double>(static_cast<std::int64_t>(value * 1000 + 0.5)) / 1000;
}

}  // namespace

std::string RunJson(const RunSettings& settings, const RunResult& result) {
  nlohmann::ordered_json json;
  json["attempted"] = result.total.attempted;
  json["acknowledged"] = result.total.acknowledged;
  json["refused"] = result.total.refused;
  json["refused_without_retry_after"] = result.total.refused_without_retry_after;
  json["indeterminate"] = result.total.indeterminate;
  json["failed_connects"] = result.failed_connects;
  json["overdue"] = result.overdue;
  json["connections"] = settings.connections;
  json["rate"] = settings.rate;
  json["window_acknowledged"] = result.window.acknowledged;
  json["window_from_us"] = result.window_from_us;
  json["window_until_us"] = result.window_until_us;
  json["ended_at_us"] = result.ended_at_us;
  json["accepted_per_s"] = Rounded(PerSecond(result.window.acknowledged, result));
  json["p50_ms"] = result.latencies.QuantileMillis(0.5);
  json["p99_ms"] = result.latencies.QuantileMillis(0.99);
  json["p999_ms"] = result.latencies.QuantileMillis(0.999);
  json["max_ms"] = result.latencies.QuantileMillis(1);
  json["cpu_us_per_request"] = Rounded(result.cpu_us_per_request);
  return json.dump();
}

int RunLoad(const RunSettings& settings, bool json) {
  auto generator = Generator::Create(settings);
  if (!generator.ok()) {
    absl::FPrintF(stderr, "postern-load: %s\n", generator.status().message());
    return 1;
  }
  const auto result = (*generator)->Run();
  if (!result.ok()) {
    absl::FPrintF(stderr, "postern-load: %s\n", result.status().message());
    return 1;
  }
  if (json) {
    absl::PrintF("%s\n", RunJson(settings, *result));
  } else {
    absl::PrintF("attempted      %d\nacknowledged   %d\nrefused        %d\nindeterminate  %d\n",
                 result->total.attempted, result->total.acknowledged, result->total.refused,
                 result->total.indeterminate);
    absl::PrintF(
        "accepted/s     %.0f\np50, p99, max  %.2f, %.2f, %.2f ms\nCPU            %.1f us a "
        "request\n",
        PerSecond(result->window.acknowledged, *result), result->latencies.QuantileMillis(0.5),
        result->latencies.QuantileMillis(0.99), result->latencies.QuantileMillis(1),
        result->cpu_us_per_request);
  }
  std::fflush(stdout);
  return result->total.acknowledged > 0 ? 0 : 1;
}

}  // namespace postern::load

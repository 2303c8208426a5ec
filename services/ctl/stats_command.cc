#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "postern/v1/statistics_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/rpc/status.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

constexpr std::int64_t kMicrosPerHour = 3'600'000'000;

struct StatsOptions {
  std::string client;
  std::int64_t hours = 24;
  bool clients = false;
  bool series = false;
};

std::string Rate(double per_second) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f/s", per_second);
  return text.data();
}

std::string Millis(std::int64_t micros) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f ms", static_cast<double>(micros) / 1000);
  return text.data();
}

void PrintOverview(Context& context, const v1::GetOverviewResponse& overview) {
  Table table({"WHAT", "VALUE"});
  table.Add({"accepted", Rate(overview.accepted_per_second())});
  table.Add({"delivered", Rate(overview.delivered_per_second())});
  table.Add({"queued now", StrCat(overview.queued())});
  table.Add({"retrying now", StrCat(overview.retrying())});
  table.Add({"dead now", StrCat(overview.dead())});
  table.Add({"oldest waiting since", TimeText(overview.oldest_waiting_at_us())});
  const auto add = [&table](const char* span, const v1::Counts& counts) {
    table.Add({StrCat("accepted in ", span), StrCat(counts.accepted())});
    table.Add({StrCat("delivered in ", span), StrCat(counts.delivered())});
    table.Add({StrCat("died in ", span), StrCat(counts.dead())});
    table.Add({StrCat("failed attempts in ", span), StrCat(counts.failed_attempts())});
  };
  add("the last hour", overview.last_hour());
  add("24 hours", overview.last_day());
  if (overview.has_latency()) {
    table.Add({"latency p50", Millis(overview.latency().p50_us())});
    table.Add({"latency p90", Millis(overview.latency().p90_us())});
    table.Add({"latency p99", Millis(overview.latency().p99_us())});
  }
  if (overview.has_queue()) {
    table.Add({"entries in the queue", StrCat(overview.queue().entries())});
    table.Add({"ledger", overview.queue().ledger_closed()
                             ? std::string("closed")
                             : StrCat("open, gap ", overview.queue().ledger_gap())});
  }
  table.Print(context.out(), !context.options().no_headers);
}

void PrintCounts(Table& table, std::string name, const v1::Counts& counts) {
  table.Add({std::move(name), StrCat(counts.accepted()), StrCat(counts.delivered()),
             StrCat(counts.dead()), StrCat(counts.failed_attempts())});
}

absl::Status ShowOverview(Context& context, v1::StatisticsService::Stub& stub,
                          const StatsOptions& options) {
  v1::GetOverviewRequest request;
  request.set_client_id(options.client);
  v1::GetOverviewResponse response;
  const grpc::Status status = stub.GetOverview(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(response);
  } else {
    PrintOverview(context, response);
  }
  return absl::OkStatus();
}

absl::Status ShowSeries(Context& context, v1::StatisticsService::Stub& stub,
                        const StatsOptions& options) {
  v1::GetTimeSeriesRequest request;
  request.set_client_id(options.client);
  request.set_from_us(NowMicros() - options.hours * kMicrosPerHour);
  v1::GetTimeSeriesResponse response;
  const grpc::Status status = stub.GetTimeSeries(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(response);
    return absl::OkStatus();
  }
  Table table({"FROM", "ACCEPTED", "DELIVERED", "DIED", "FAILED_ATTEMPTS"});
  for (const v1::TimeBucket& bucket : response.buckets()) {
    PrintCounts(table, TimeText(bucket.start_us()), bucket.counts());
  }
  table.Print(context.out(), !context.options().no_headers);
  return absl::OkStatus();
}

absl::Status ShowClients(Context& context, v1::StatisticsService::Stub& stub,
                         const StatsOptions& options) {
  v1::ListClientTotalsRequest request;
  request.set_from_us(NowMicros() - options.hours * kMicrosPerHour);
  v1::ListClientTotalsResponse response;
  const grpc::Status status = stub.ListClientTotals(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  if (context.options().json()) {
    context.out() << ToJson(response);
    return absl::OkStatus();
  }
  Table table({"CLIENT", "ACCEPTED", "DELIVERED", "DIED", "FAILED_ATTEMPTS"});
  for (const v1::ClientTotals& client : response.clients()) {
    PrintCounts(table, client.client_id(), client.counts());
  }
  table.Print(context.out(), !context.options().no_headers);
  return absl::OkStatus();
}

absl::Status Stats(Context& context, const StatsOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::StatisticsService::NewStub(*channel);
  if (options.clients) return ShowClients(context, *stub, options);
  if (options.series) return ShowSeries(context, *stub, options);
  return ShowOverview(context, *stub, options);
}

}  // namespace

void AddStatsCommand(CommandTree& tree, Context& context) {
  auto options = std::make_shared<StatsOptions>();
  CLI::App* const stats =
      tree.Verb(&tree.root(), "stats", "Shows how much comes in, gets out, waits and fails.",
                "show the statistics", [&context, options] { return Stats(context, *options); });
  CLI::Option* const client =
      stats->add_option("--client", options->client, "Only this client's")->type_name("ID");
  CLI::Option* const series =
      stats->add_flag("--series", options->series, "Counts over the time, bucket by bucket");
  stats->add_flag("--clients", options->clients, "Counts client by client")
      ->excludes(series)
      ->excludes(client);
  stats->add_option("--hours", options->hours, "How far back --series and --clients look (24)")
      ->check(CLI::Range(1, 9600))
      ->type_name("N");
}

}  // namespace postern::ctl

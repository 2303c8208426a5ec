#include <array>

#include "absl/strings/str_format.h"
#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Statistics = v1::StatisticsService::StubInterface::async_interface;
using Messages = v1::MessageService::StubInterface::async_interface;

constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000;
constexpr int kRecentFailures = 5;
constexpr int kTopClients = 50;
// A message that has waited longer is worth a warning.
constexpr std::int64_t kOldWaiting = std::int64_t{60} * 1'000'000;

struct Range {
  std::string_view word;
  std::string_view label;
  std::int64_t hours;
};
constexpr std::array kRanges{Range{"1h", "1 hour", 1}, Range{"24h", "24 hours", 24},
                             Range{"7d", "7 days", 168}, Range{"30d", "30 days", 720}};
constexpr Range kUsual = kRanges[1];

Range RangeOf(const Visit& visit) {
  for (const Range& range : kRanges) {
    if (range.word == visit.query.Get("range")) return range;
  }
  return kUsual;
}

View RangeLinks(const Visit& visit) {
  const Range chosen = RangeOf(visit);
  ViewList links;
  for (const Range& range : kRanges) {
    Parameters query;
    query.Set("range", range.word);
    View link;
    link["label"] = View(std::string(range.label));
    link["address"] = View(StrCat(visit.request.path, query.ToQuery()));
    link["current"] = View(range.word == chosen.word);
    links.push_back(link);
  }
  return View(links);
}

std::string Rate(double per_second) {
  return per_second >= 100 ? FormatCount(static_cast<std::int64_t>(per_second))
                           : absl::StrFormat("%.1f", per_second);
}

View Figure(std::string_view label, std::string value, std::string note, std::string_view link) {
  View figure;
  figure["label"] = View(std::string(label));
  figure["value"] = View(value);
  SetText(figure, "note", note);
  SetText(figure, "link", link);
  return figure;
}

void PutFigures(View& view, const Visit& visit, const v1::GetOverviewResponse& now) {
  ViewList figures;
  figures.push_back(Figure("Accepted in 24 hours", FormatCount(now.last_day().accepted()),
                           StrCat(Rate(now.accepted_per_second()), " a second now"),
                           "/messages?range=24h"));
  figures.push_back(Figure("Delivered in 24 hours", FormatCount(now.last_day().delivered()),
                           StrCat(Rate(now.delivered_per_second()), " a second now"),
                           "/messages?range=24h&state=delivered"));
  const std::int64_t waiting = now.queued() + now.retrying();
  const bool any_waiting = now.oldest_waiting_at_us() != 0;
  figures.push_back(Figure(
      "Waiting now", FormatCount(waiting),
      any_waiting ? StrCat("the oldest for ", FormatSpan(visit.now_us - now.oldest_waiting_at_us()))
                  : "nothing waits",
      "/messages?state=queued&state=retrying"));
  figures.push_back(Figure("Dead letters now", FormatCount(now.dead()),
                           StrCat(FormatCount(now.last_day().dead()), " in 24 hours"),
                           "/messages?state=dead"));
  const bool timed = now.latency().count() > 0;
  figures.push_back(Figure(
      "Accepted to delivered", timed ? FormatSpan(now.latency().p50_us()) : "–",
      timed ? StrCat("99 % within ", FormatSpan(now.latency().p99_us())) : "none in 5 minutes",
      ""));
  if (now.has_queue()) {
    figures.push_back(Figure(
        "In the queue", FormatCount(now.queue().entries()),
        now.queue().ledger_closed() ? "the ledger is closed" : "the ledger is not closed yet",
        "/queue"));
  }
  view["figures"] = View(figures);
  view["measured"] = visit.Time(now.measured_at_us());
  const bool old = any_waiting && visit.now_us - now.oldest_waiting_at_us() > kOldWaiting;
  view["old_waiting"] = View(old);
}

// One row of a chart's table: what people read and what the chart is drawn from.
View ChartCell(std::string text, std::int64_t value) {
  View cell;
  cell["text"] = View(text);
  cell["value"] = View(std::to_string(value));
  return cell;
}

void PutChart(View& view, const Visit& visit, const v1::GetTimeSeriesResponse& series) {
  ViewList rows;
  bool any_latency = false;
  for (const v1::TimeBucket& bucket : series.buckets()) {
    View row;
    row["time"] = View(FormatTime(bucket.start_us(), visit.zone()));
    row["seconds"] = View(std::to_string(bucket.start_us() / 1'000'000));
    const v1::Counts& counts = bucket.counts();
    row["accepted"] = ChartCell(FormatCount(counts.accepted()), counts.accepted());
    row["delivered"] = ChartCell(FormatCount(counts.delivered()), counts.delivered());
    row["failed"] = ChartCell(FormatCount(counts.failed_attempts()), counts.failed_attempts());
    row["dead"] = ChartCell(FormatCount(counts.dead()), counts.dead());
    const v1::Latency& latency = bucket.latency();
    const bool timed = latency.count() > 0;
    any_latency |= timed;
    SetText(row, "p50", timed ? FormatSpan(latency.p50_us()) : "");
    SetText(row, "p99", timed ? FormatSpan(latency.p99_us()) : "");
    row["p50_ms"] =
        View(timed ? absl::StrFormat("%.3f", static_cast<double>(latency.p50_us()) / 1e3) : "");
    row["p99_ms"] =
        View(timed ? absl::StrFormat("%.3f", static_cast<double>(latency.p99_us()) / 1e3) : "");
    rows.push_back(row);
  }
  view["buckets"] = View(rows);
  view["any_latency"] = View(any_latency);
  view["bucket"] = View(FormatSpan(series.bucket_seconds() * 1'000'000));
  const v1::Counts& total = series.total();
  view["total_accepted"] = View(FormatCount(total.accepted()));
  view["total_delivered"] = View(FormatCount(total.delivered()));
  view["total_failed"] = View(FormatCount(total.failed_attempts()));
  view["total_dead"] = View(FormatCount(total.dead()));
}

boost::asio::awaitable<absl::StatusOr<v1::GetTimeSeriesResponse>> Series(Visit& visit) {
  v1::GetTimeSeriesRequest ask;
  ask.set_from_us(visit.now_us - RangeOf(visit).hours * kHour);
  return visit.Ask(visit.backend().statistics->async(), &Statistics::GetTimeSeries, ask);
}

View FailureRows(const Visit& visit, const v1::ListMessagesResponse& messages) {
  ViewList rows;
  for (const v1::Message& message : messages.messages()) {
    View row;
    row["address"] = View(StrCat("/messages/", message.id()));
    row["time"] = visit.Time(message.accepted_at_us());
    row["client"] = View(message.client_id());
    row["mark"] = StateMark(message.state());
    row["reason"] =
        View(ReasonText(message.reason().empty() ? message.last_error() : message.reason()));
    rows.push_back(row);
  }
  return View(rows);
}

View ClientRows(const v1::ListClientTotalsResponse& totals, const Visit& visit) {
  ViewList rows;
  for (const v1::ClientTotals& client : totals.clients()) {
    View row;
    row["client"] = View(client.client_id());
    Parameters query;
    query.Set("client", client.client_id());
    row["address"] = View(visit.admin() ? StrCat("/clients/", FormEncode(client.client_id()))
                                        : StrCat("/messages", query.ToQuery()));
    row["accepted"] = View(FormatCount(client.counts().accepted()));
    row["delivered"] = View(FormatCount(client.counts().delivered()));
    row["failed"] = View(FormatCount(client.counts().failed_attempts()));
    row["dead"] = View(FormatCount(client.counts().dead()));
    rows.push_back(row);
  }
  return View(rows);
}

}  // namespace

PageAnswer ShowDashboard(Visit& visit) {
  const v1::GetOverviewRequest overview;
  const auto now =
      co_await visit.Ask(visit.backend().statistics->async(), &Statistics::GetOverview, overview);
  if (!now.ok()) co_return visit.Failure(now.status());
  const auto series = co_await Series(visit);
  if (!series.ok()) co_return visit.Failure(series.status());
  v1::ListMessagesRequest failed;
  failed.add_states(v1::MESSAGE_STATE_RETRYING);
  failed.add_states(v1::MESSAGE_STATE_DEAD);
  failed.set_page_size(kRecentFailures);
  const auto failures =
      co_await visit.Ask(visit.backend().messages->async(), &Messages::ListMessages, failed);
  if (!failures.ok()) co_return visit.Failure(failures.status());
  View view = visit.Frame("Dashboard", "dashboard");
  PutFigures(view, visit, *now);
  PutChart(view, visit, *series);
  view["ranges"] = RangeLinks(visit);
  view["range"] = View(std::string(RangeOf(visit).word));
  view["failures"] = FailureRows(visit, *failures);
  view["any_failures"] = View(!failures->messages().empty());
  view["any_messages"] = View(now->last_day().accepted() + now->queued() + now->retrying() +
                                  now->dead() + series->total().accepted() >
                              0);
  co_return visit.Page("dashboard", view);
}

PageAnswer ShowFigures(Visit& visit) {
  const v1::GetOverviewRequest overview;
  const auto now =
      co_await visit.Ask(visit.backend().statistics->async(), &Statistics::GetOverview, overview);
  if (!now.ok()) co_return visit.Failure(now.status());
  View view = visit.Frame("Dashboard", "dashboard");
  PutFigures(view, visit, *now);
  co_return visit.Page("figures", view);
}

PageAnswer ShowChart(Visit& visit) {
  const auto series = co_await Series(visit);
  if (!series.ok()) co_return visit.Failure(series.status());
  View view = visit.Frame("Dashboard", "dashboard");
  PutChart(view, visit, *series);
  co_return visit.Page("chart", view);
}

PageAnswer ShowStatistics(Visit& visit) {
  const auto series = co_await Series(visit);
  if (!series.ok()) co_return visit.Failure(series.status());
  v1::ListClientTotalsRequest ask;
  ask.set_from_us(visit.now_us - RangeOf(visit).hours * kHour);
  ask.set_limit(kTopClients);
  const auto totals =
      co_await visit.Ask(visit.backend().statistics->async(), &Statistics::ListClientTotals, ask);
  if (!totals.ok()) co_return visit.Failure(totals.status());
  View view = visit.Frame("Statistics", "statistics");
  PutChart(view, visit, *series);
  view["ranges"] = RangeLinks(visit);
  view["clients"] = ClientRows(*totals, visit);
  view["any_clients"] = View(!totals->clients().empty());
  co_return visit.Page("statistics", view);
}

}  // namespace postern::portal

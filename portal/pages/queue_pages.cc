#include <algorithm>

#include "portal/pages/pages.h"
#include "portal/pages/parts.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using Queue = v1::QueueService::StubInterface::async_interface;
using DeadLetters = v1::DeadLetterService::StubInterface::async_interface;
using Messages = v1::MessageService::StubInterface::async_interface;

// One press of the button brings back so many at most; the page then offers to go on.
constexpr int kPartsPerRequest = 10;
constexpr int kPartMessages = 500;

v1::DeadLetterFilter FilterOf(const Parameters& fields) {
  v1::DeadLetterFilter filter;
  filter.set_reason(std::string(fields.Get("reason")));
  filter.set_client_id(std::string(fields.Get("client")));
  const std::string id(fields.Get("id"));
  if (!id.empty()) filter.add_ids(id);
  return filter;
}

bool IsAll(const v1::DeadLetterFilter& filter) {
  return filter.reason().empty() && filter.client_id().empty() && filter.ids().empty();
}

void PutShards(View& view, const Visit& visit, const v1::GetQueueStatusResponse& queue) {
  ViewList shards;
  std::int64_t entries = 0;
  std::int64_t unread = 0;
  std::int64_t held = 0;
  std::int64_t oldest = 0;
  for (const v1::QueueShard& shard : queue.shards()) {
    entries += shard.entries();
    unread += shard.unread();
    held += shard.held();
    if (shard.oldest_entry_at_us() != 0) {
      oldest =
          oldest == 0 ? shard.oldest_entry_at_us() : std::min(oldest, shard.oldest_entry_at_us());
    }
    View row;
    row["shard"] = View(std::to_string(shard.shard()));
    row["entries"] = View(FormatCount(shard.entries()));
    row["unread"] = View(FormatCount(shard.unread()));
    row["held"] = View(FormatCount(shard.held()));
    row["consumers"] = View(FormatCount(shard.consumers()));
    row["oldest"] = visit.Time(shard.oldest_entry_at_us());
    row["mark"] = shard.has_group() ? Mark("good", "check", "Read")
                                    : Mark("warn", "alert", "No workers' group");
    shards.push_back(row);
  }
  view["shards"] = View(shards);
  view["entries"] = View(FormatCount(entries));
  view["unread"] = View(FormatCount(unread));
  view["held"] = View(FormatCount(held));
  SetText(view, "age", oldest == 0 ? "" : FormatSpan(visit.now_us - oldest));
  ViewList unsafe;
  for (const std::string& setting : queue.unsafe_settings()) unsafe.push_back(View(setting));
  view["any_unsafe"] = View(!unsafe.empty());
  view["unsafe"] = View(unsafe);
  SetText(view, "reconciler", queue.reconciler());
}

View Groups(const Visit& visit, const v1::SummarizeDeadLettersResponse& summary) {
  ViewList groups;
  for (const v1::DeadLetterGroup& group : summary.groups()) {
    Parameters messages;
    messages.Set("state", "dead");
    messages.Set("reason", group.reason());
    Parameters redrive;
    redrive.Set("reason", group.reason());
    View row;
    row["reason"] = View(group.reason());
    row["text"] = View(ReasonText(group.reason()));
    row["count"] = View(FormatCount(group.count()));
    row["clients"] = View(FormatCount(group.clients()));
    row["first"] = visit.Time(group.first_accepted_at_us());
    row["last"] = visit.Time(group.last_accepted_at_us());
    row["messages"] = View(StrCat("/messages", messages.ToQuery()));
    row["redrive"] = View(StrCat("/queue/redrive", redrive.ToQuery()));
    groups.push_back(row);
  }
  return View(groups);
}

void PutLedger(View& view, const v1::GetLedgerResponse& ledger) {
  view["ledger_mark"] =
      ledger.closed() ? Mark("good", "check", "Closed") : Mark("wait", "clock", "Not closed yet");
  view["accepted"] = View(FormatCount(ledger.accepted()));
  view["delivered"] = View(FormatCount(ledger.delivered()));
  view["pending"] = View(FormatCount(ledger.pending()));
  view["dead"] = View(FormatCount(ledger.dead()));
  view["gap"] = View(FormatCount(ledger.gap()));
}

std::int64_t Total(const v1::SummarizeDeadLettersResponse& summary) {
  std::int64_t total = 0;
  for (const v1::DeadLetterGroup& group : summary.groups()) total += group.count();
  return total;
}

}  // namespace

PageAnswer ShowQueue(Visit& visit) {
  const v1::SummarizeDeadLettersRequest every;
  const auto dead = co_await visit.Ask(visit.backend().dead_letters->async(),
                                       &DeadLetters::SummarizeDeadLetters, every);
  if (!dead.ok()) co_return visit.Failure(dead.status());
  const v1::GetLedgerRequest ledger_ask;
  const auto ledger =
      co_await visit.Ask(visit.backend().messages->async(), &Messages::GetLedger, ledger_ask);
  if (!ledger.ok() && !absl::IsUnavailable(ledger.status())) {
    co_return visit.Failure(ledger.status());
  }
  const v1::GetQueueStatusRequest queue_ask;
  const auto queue =
      co_await visit.Ask(visit.backend().queue->async(), &Queue::GetQueueStatus, queue_ask);
  // Redis may be away while the server is not: the rest of the page is good.
  if (!queue.ok() && !absl::IsUnavailable(queue.status())) {
    co_return visit.Failure(queue.status());
  }
  View view = visit.Frame("Queue", "queue");
  PutShards(view, visit, queue.ok() ? *queue : v1::GetQueueStatusResponse());
  view["queue_away"] = View(!queue.ok());
  PutLedger(view, ledger.ok() ? *ledger : v1::GetLedgerResponse());
  view["ledger_known"] = View(ledger.ok());
  view["groups"] = Groups(visit, *dead);
  view["any_dead"] = View(!dead->groups().empty());
  view["several_groups"] = View(dead->groups_size() > 1);
  co_return visit.Page("queue", view);
}

PageAnswer ConfirmRedrive(Visit& visit) {
  v1::SummarizeDeadLettersRequest ask;
  *ask.mutable_filter() = FilterOf(visit.query);
  const auto summary = co_await visit.Ask(visit.backend().dead_letters->async(),
                                          &DeadLetters::SummarizeDeadLetters, ask);
  if (!summary.ok()) co_return visit.Failure(summary.status());
  View view = visit.Frame("Bring dead letters back?", "queue");
  const std::int64_t total = Total(*summary);
  view["total"] = View(FormatCount(total));
  view["any"] = View(total > 0);
  view["groups"] = Groups(visit, *summary);
  SetText(view, "reason", visit.query.Get("reason"));
  SetText(view, "client", visit.query.Get("client"));
  SetText(view, "id", visit.query.Get("id"));
  view["all"] = View(IsAll(ask.filter()));
  co_return visit.Page("redrive", view);
}

PageAnswer Redrive(Visit& visit) {
  v1::RedriveDeadLettersRequest ask;
  *ask.mutable_filter() = FilterOf(visit.form);
  ask.set_all(IsAll(ask.filter()) && visit.form.Get("all") == "yes");
  ask.set_limit(kPartMessages);
  std::int64_t redriven = 0;
  std::int64_t skipped = 0;
  for (int part = 0; part < kPartsPerRequest; ++part) {
    const auto done = co_await visit.Ask(visit.backend().dead_letters->async(),
                                         &DeadLetters::RedriveDeadLetters, ask);
    if (!done.ok() && redriven == 0) co_return visit.Failure(done.status());
    if (!done.ok()) break;
    redriven += done->redriven();
    skipped += done->skipped();
    ask.set_page_token(done->next_page_token());
    if (ask.page_token().empty()) break;
  }
  View view = visit.Frame("Dead letters brought back", "queue");
  view["redriven"] = View(FormatCount(redriven));
  view["skipped"] = View(FormatCount(skipped));
  view["any_skipped"] = View(skipped > 0);
  Parameters again;
  again.Set("reason", ask.filter().reason());
  again.Set("client", ask.filter().client_id());
  SetText(view, "more", ask.page_token().empty() ? "" : StrCat("/queue/redrive", again.ToQuery()));
  co_return visit.Page("redriven", view);
}

}  // namespace postern::portal

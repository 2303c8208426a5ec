#include "services/messages/list_statements.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/common/base/strings.h"
#include "services/messages/message_rows.h"
#include "services/messages/write_items.h"

namespace postern::messages {
namespace {

constexpr char kSenders[] = "SELECT id, client_id FROM messages";
constexpr char kPendingSenders[] = "SELECT id, client_id FROM pending";
constexpr char kSendersAmong[] = "SELECT id, client_id FROM (";
constexpr char kNewestOfState[] = " FORCE INDEX (newest)";
// For so many clients a page of each one's own costs less than a look at the next senders.
constexpr std::size_t kPendingClientsFew = 8;
constexpr std::int64_t kSendersPerRow = 40;

const char* Order(const MessageQuery& query) {
  return query.after.has_value() ? " ORDER BY id ASC LIMIT ?" : " ORDER BY id DESC LIMIT ?";
}

// What every row has to meet, but for its client. Times are those in the ids: a bound on another
// column would have to look at rows that it does not want.
void AddCommon(const MessageQuery& query, Condition& condition) {
  if (query.before.has_value()) condition.Add("id < ?", std::string(query.before->bytes()));
  if (query.after.has_value()) condition.Add("id > ?", std::string(query.after->bytes()));
  condition.AddUnlessEmpty("client_ref = ?", query.client_ref);
  condition.AddUnlessEmpty("number_hash = ?", query.number_hash);
  if (query.accepted_from_us > 0) condition.Add("id >= ?", FirstIdAt(query.accepted_from_us));
  if (query.accepted_until_us > 0) condition.Add("id < ?", FirstIdAt(query.accepted_until_us));
}

// What only rows of `pending` have to meet.
struct PendingFilter {
  std::vector<RowState> states;  // Empty: any.
  std::string reason;            // Empty: any.
};

// Nothing when no state of that table is asked for.
std::optional<PendingFilter> PendingFilterOf(const MessageQuery& query) {
  PendingFilter filter;
  filter.reason = query.reason;
  if (query.states.empty()) return filter;
  constexpr std::pair<v1::MessageState, RowState> kStates[] = {
      {v1::MESSAGE_STATE_QUEUED, RowState::kQueued},
      {v1::MESSAGE_STATE_RETRYING, RowState::kRetrying},
      {v1::MESSAGE_STATE_DEAD, RowState::kDead}};
  for (const auto& [asked, stored] : kStates) {
    if (std::ranges::find(query.states, asked) != query.states.end()) {
      filter.states.push_back(stored);
    }
  }
  if (filter.states.empty()) return std::nullopt;
  return filter;
}

// One of the two tables: its columns, how to pick ids from it, and the index by which it is read
// where nothing but the client, or the client and one state, leads to the rows. Indexes are named:
// in the optimizer's eyes going through millions of rows in the order of the ids may look cheaper.
struct Table {
  const char* columns;
  const char* ids;
  const char* by_client;
  const char* by_client_state;
};
constexpr Table kPendingTable = {kPendingColumns, "(SELECT id FROM pending", "",
                                 " FORCE INDEX (client_state)"};
constexpr Table kMessagesTable = {kDeliveredColumns, "(SELECT id FROM messages",
                                  " FORCE INDEX (client)", ""};

void AddPendingFilter(const PendingFilter& filter, Condition& condition) {
  std::string states;
  for (const RowState state : filter.states) {
    StrAppend(&states, states.empty() ? "" : ",", static_cast<int>(state));
  }
  if (!states.empty()) condition.Add(StrCat("state IN (", states, ")"));
  condition.AddUnlessEmpty("reason = ?", filter.reason);
}

// The index that leads to the rows better than the client, if there is one.
const char* Narrow(const MessageQuery& query) {
  if (!query.number_hash.empty()) return " FORCE INDEX (number)";
  if (!query.client_ref.empty()) return " FORCE INDEX (ref)";
  return nullptr;
}

// The rows of the page, from the end that `query` begins at. Where an index leads to them the ids
// come first, from the index alone, so that no row of a partition is read in vain; and for several
// clients a page of each one's own: one look over all clients would read every row of others
// between them. What fills up stands for nobody, so that there are few different statements.
ListStatement Statement(const MessageQuery& query, const Table& table,
                        const PendingFilter& filter) {
  const char* const order = Order(query);
  const char* const narrow = Narrow(query);
  auto condition = std::make_shared<Condition>();
  std::vector<std::string> clients = query.clients;
  if (!query.client_id.empty()) clients = {query.client_id};
  clients.resize(std::bit_ceil(clients.size()));
  const bool any_client = clients.size() == 1 && clients.front().empty();
  const char* const by_client = filter.states.size() == 1 ? table.by_client_state : table.by_client;
  const char* const index = narrow != nullptr ? narrow : any_client ? "" : by_client;
  const auto add = [&](Condition& to, const std::string& client) {
    AddCommon(query, to);
    AddPendingFilter(filter, to);
    if (!any_client) to.Add("client_id = ?", client);
    to.AddValue(query.limit);
  };
  ListStatement statement;
  if (*index == '\0' && clients.size() == 1) {
    add(*condition, clients.front());
    statement.sql = StrCat(table.columns, index, condition->sql(), order);
  } else {
    std::string ids;
    for (const std::string& client : clients) {
      Condition of_one;
      add(of_one, client);
      StrAppend(&ids, ids.empty() ? "" : " UNION ALL ", table.ids, index, of_one.sql(), order, ")");
      condition->AddValuesOf(of_one);
    }
    condition->AddValue(query.limit);
    condition->AddValue(query.limit);
    statement.sql = StrCat(table.columns, " JOIN (SELECT id AS page_id FROM (", ids, ") AS found",
                           order, ") AS page ON id = page_id", order);
  }
  statement.values = condition->values();
  statement.condition = std::move(condition);
  return statement;
}

}  // namespace

std::string FirstIdAt(std::int64_t micros) {
  const std::int64_t millis = std::max<std::int64_t>(micros / 1000, 0);
  std::string bytes(Uuid::kSize, '\0');
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<char>(millis >> (8 * (5 - i)));
  return bytes;
}

std::optional<ListStatement> PendingStatement(const MessageQuery& query) {
  const std::optional<PendingFilter> filter = PendingFilterOf(query);
  if (!filter) return std::nullopt;
  return Statement(query, kPendingTable, *filter);
}

bool WantsDelivered(const MessageQuery& query) {
  if (!query.reason.empty()) return false;
  return query.states.empty() || std::find(query.states.begin(), query.states.end(),
                                           v1::MESSAGE_STATE_DELIVERED) != query.states.end();
}

ListStatement DeliveredStatement(const MessageQuery& query) {
  return Statement(query, kMessagesTable, {});
}

bool IsLedByIndex(const MessageQuery& query) {
  return !query.client_id.empty() || !query.clients.empty() || Narrow(query) != nullptr;
}

bool HasSeveralClients(const MessageQuery& query) {
  return query.client_id.empty() && query.clients.size() > 1;
}

std::int64_t SendersLookedAt(const MessageQuery& query) {
  return std::int64_t{query.limit} * kSendersPerRow;
}

bool SendersInOrder(const MessageQuery& query) { return Narrow(query) == nullptr; }

ListStatement NextSenders(const MessageQuery& query) {
  const char* const narrow = Narrow(query);
  auto condition = std::make_shared<Condition>();
  AddCommon(query, *condition);
  condition->AddValue(SendersLookedAt(query));
  ListStatement statement;
  statement.sql = narrow == nullptr ? StrCat(kSenders, condition->sql(), Order(query))
                                    : StrCat(kSenders, narrow, condition->sql(), " LIMIT ?");
  statement.values = condition->values();
  statement.condition = std::move(condition);
  return statement;
}

bool AsksPendingSenders(const MessageQuery& query) {
  return HasSeveralClients(query) && query.clients.size() > kPendingClientsFew &&
         Narrow(query) == nullptr && query.reason.empty() && PendingFilterOf(query).has_value();
}

ListStatement NextPendingSenders(const MessageQuery& query) {
  const std::string order = Order(query);
  auto condition = std::make_shared<Condition>();
  const auto add = [&](Condition& to) {
    AddCommon(query, to);
    to.AddValue(SendersLookedAt(query));
  };
  ListStatement statement;
  std::string of_states;
  const auto filter = PendingFilterOf(query);
  for (const RowState state : filter->states) {
    Condition of_one;
    of_one.Add(StrCat("state = ", static_cast<int>(state)));
    add(of_one);
    StrAppend(&of_states, of_states.empty() ? "(" : " UNION ALL (", kPendingSenders, kNewestOfState,
              of_one.sql(), order, ")");
    condition->AddValuesOf(of_one);
  }
  if (of_states.empty()) {
    add(*condition);
    statement.sql = StrCat(kPendingSenders, condition->sql(), order);
  } else {
    condition->AddValue(SendersLookedAt(query));
    statement.sql = StrCat(kSendersAmong, of_states, ") AS found", order);
  }
  statement.values = condition->values();
  statement.condition = std::move(condition);
  return statement;
}

ListStatement RowsStatement(const std::vector<std::string>& ids, const char* columns) {
  auto condition = std::make_shared<Condition>();
  // Filled up to a power of two, so that there are few different statements.
  const std::size_t places = std::bit_ceil(ids.size());
  for (std::size_t i = 0; i < places; ++i) condition->AddValue(ids[std::min(i, ids.size() - 1)]);
  ListStatement statement;
  statement.sql = StrCat(columns, " WHERE id IN ", db::Placeholders(1, places));
  statement.values = condition->values();
  statement.condition = std::move(condition);
  return statement;
}

std::vector<ListStatement> ListStatements(const MessageQuery& query) {
  std::vector<ListStatement> statements;
  if (AsksPendingSenders(query)) statements.push_back(NextPendingSenders(query));
  if (auto of_pending = PendingStatement(query)) statements.push_back(*std::move(of_pending));
  if (!WantsDelivered(query)) return statements;
  if (HasSeveralClients(query)) statements.push_back(NextSenders(query));
  statements.push_back(DeliveredStatement(query));
  return statements;
}

}  // namespace postern::messages

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "postern/v1/message_service.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/messages/condition.h"

namespace postern::messages {

// Which messages, newest first.
struct MessageQuery {
  std::vector<v1::MessageState> states;  // Empty: any.
  std::string client_id;                 // Empty: any.
  std::string client_ref;                // Empty: any.
  std::string reason;                    // Of what is not delivered; empty: any.
  std::string number_hash;               // NumberFacts::hash; empty: any.
  std::vector<std::string> clients;      // Only of these; empty: any.
  std::int64_t accepted_from_us = 0;     // 0: no bound. By the time in the id.
  std::int64_t accepted_until_us = 0;    // 0: no bound; exclusive.
  std::optional<Uuid> before;            // Only smaller ids: where the page before ended.
  std::optional<Uuid> after;             // Only larger ids, the nearest ones.
  int limit = 0;
};

// The bytes of the smallest UUIDv7 of a time, in microseconds since the Unix epoch.
std::string FirstIdAt(std::int64_t micros);

// A statement of a list.
struct ListStatement {
  std::string sql;
  std::vector<db::Value> values;  // As long as `condition` lives.
  std::shared_ptr<const Condition> condition;
};

// The page from `pending`; nothing when no state of that table is asked for. Begins with
// kPendingColumns.
std::optional<ListStatement> PendingStatement(const MessageQuery& query);

// Whether a delivered message can be one of those asked for.
bool WantsDelivered(const MessageQuery& query);
// The page from `messages`. Begins with kDeliveredColumns.
ListStatement DeliveredStatement(const MessageQuery& query);

// Whether an index leads to the delivered messages: one that is asked in every partition.
bool IsLedByIndex(const MessageQuery& query);

// For several clients: id and client of the next SendersLookedAt messages. Those of a user's
// clients among them mostly fill a page. Of a number or reference, where one is asked for, so many
// in no order, which tells when there are no more: sorting all that it ever had would cost more.
bool HasSeveralClients(const MessageQuery& query);
std::int64_t SendersLookedAt(const MessageQuery& query);
bool SendersInOrder(const MessageQuery& query);
ListStatement NextSenders(const MessageQuery& query);
// The same of `pending`, among the states that are asked for, for so many clients that it pays.
bool AsksPendingSenders(const MessageQuery& query);
ListStatement NextPendingSenders(const MessageQuery& query);
// The rows of these ids, at least one. `columns`: kPendingColumns or kDeliveredColumns.
ListStatement RowsStatement(const std::vector<std::string>& ids, const char* columns);

// All statements of a list, for a look at their plans.
std::vector<ListStatement> ListStatements(const MessageQuery& query);

}  // namespace postern::messages

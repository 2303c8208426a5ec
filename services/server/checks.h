#pragma once

#include "services/common/http/ops_server.h"
#include "services/common/redis/queue_safety.h"
#include "services/messages/ledger.h"

// What the operations port says of the server's parts. None of them blocks.
namespace postern::server {

// Fails when the database is away: nothing can be registered or delivered.
http::Check DatabaseCheck(bool healthy);
// Warns when the queue has not been read for a while: nothing is reconciled, but everything else
// works. Warns when its settings can lose messages, too.
http::Check QueueCheck(const messages::Ledger& ledger, const redis::QueueSafety& safety);
// Warns when the ledger is open.
http::Check LedgerCheck(const messages::Ledger& ledger);

}  // namespace postern::server

#pragma once

#include "services/messages/tally.h"

namespace postern::server {

// Joins two domains: what the messages count goes into the statistics' journal.
messages::TallySink MakeStatisticsSink();

}  // namespace postern::server

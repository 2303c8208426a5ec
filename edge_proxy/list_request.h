#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "edge_proxy/keyed_hasher.h"
#include "edge_proxy/problem.h"
#include "postern/v1/message_service.pb.h"

namespace postern::edge {

// What a client asks of its list.
struct ListRequest {
  v1::ListMessagesRequest query;  // Without client and page.
  std::string cursor;             // As given; empty: the first page.
  std::string filter;             // What the cursor is tied to beside the client.
};

// Either a request, or the problem that answers it (400 invalid-parameter, every fault of it).
struct ParsedList {
  ListRequest request;
  std::optional<Problem> problem;
};

// Reads the query of `GET /api/v1/messages`, as docs/api/rest.md describes it: percent-encoded, a
// plus sign stands for itself. `query`: without the question mark.
ParsedList ParseListRequest(std::string_view query);

// A cursor says where the next page begins, and is good for one client and one filter only.
// `place`: the page token of the main server. `hasher` must be prepared.
std::string MakeCursor(KeyedHasher& hasher, std::string_view client_id, std::string_view filter,
                       std::string_view place);
// The page token; nullopt when the cursor was not made by MakeCursor for this client and filter.
std::optional<std::string> PlaceOf(KeyedHasher& hasher, std::string_view client_id,
                                   std::string_view filter, std::string_view cursor);

}  // namespace postern::edge

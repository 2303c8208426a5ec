#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "services/common/rpc/status.h"
#include "services/ctl/context.h"
#include "services/ctl/json.h"

namespace postern::ctl {

// Lists page by page: the first one, or with `all` each. `call(request, page)` asks for one,
// `items` gives its rows, `print(rows, first)` shows them as a table; JSON is one object with the
// list `name`. What is left over is said on stderr. An error ends the list as it stands.
template <typename Page, typename Request, typename Call, typename Items, typename Print>
absl::Status ListPages(Context& context, Request request, bool all, std::string_view name,
                       const Call& call, const Items& items, const Print& print) {
  std::optional<JsonListWriter> json;
  for (bool first = true;; first = false) {
    Page page;
    const grpc::Status status = call(request, page);
    if (!status.ok()) return rpc::FromGrpc(status);
    if (!context.options().json()) {
      print(items(page), first);
    } else {
      if (first) json.emplace(context.out(), name);
      for (const auto& item : items(page)) json->Add(item);
    }
    request.set_page_token(page.next_page_token());
    if (!all || page.next_page_token().empty()) break;
  }
  if (json) {
    json->End(request.page_token());
  } else if (!request.page_token().empty()) {
    context.err() << "There are more: --page-token " << request.page_token() << " (or --all)\n";
  }
  return absl::OkStatus();
}

}  // namespace postern::ctl

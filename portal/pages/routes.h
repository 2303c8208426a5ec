#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "portal/pages/visit.h"

namespace postern::portal {

// Who may open a page. The main server decides what somebody may see and do, at every call; this
// only spares it the calls that it would refuse, and says so in a page.
enum class Access {
  kAnybody,
  kNewPassword,  // Signed in, even with a password that has to be changed first.
  kUser,
  kAdmin,
};

struct Route {
  std::string_view method;
  std::string_view path;  // With `{}` for a parameter: one part of a path, decoded.
  Access access;
  PageFunction page;
};

// All of them; the place in it is a route's number.
const std::vector<Route>& Routes();

struct RouteMatch {
  const Route* route = nullptr;
  std::string parameter;
  bool other_method = false;  // The path exists, but not with this method.
};

// HEAD is answered as GET.
RouteMatch MatchRoute(std::string_view method, std::string_view path);

}  // namespace postern::portal

#include "portal/pages/routes.h"

#include <gtest/gtest.h>

namespace postern::portal {
namespace {

std::string PathOf(std::string_view method, std::string_view path) {
  const RouteMatch match = MatchRoute(method, path);
  return match.route == nullptr ? "none" : std::string(match.route->path);
}

TEST(Routes, AreFoundByMethodAndPath) {
  EXPECT_EQ(PathOf("GET", "/"), "/");
  EXPECT_EQ(PathOf("HEAD", "/messages"), "/messages");
  EXPECT_EQ(PathOf("GET", "/messages/abc"), "/messages/{}");
  EXPECT_EQ(PathOf("GET", "/users/new"), "/users/new");
  EXPECT_EQ(PathOf("GET", "/users/7"), "/users/{}");
  EXPECT_EQ(PathOf("GET", "/users/7/confirm"), "/users/{}/confirm");
  EXPECT_EQ(PathOf("POST", "/certificates/ab/revoke"), "/certificates/{}/revoke");
  for (const char* path : {"", "/messages/", "/messages/a/b", "/nothing", "/users//confirm",
                           "/messages/%zz", "/messages/%ff", "//", "/Messages"}) {
    EXPECT_EQ(PathOf("GET", path), "none") << path;
  }
}

TEST(Routes, ParametersAreDecoded) {
  EXPECT_EQ(MatchRoute("GET", "/clients/a%2Fb%20c").parameter, "a/b c");
}

TEST(Routes, TellAnotherMethodFromNothing) {
  EXPECT_TRUE(MatchRoute("DELETE", "/messages").other_method);
  EXPECT_FALSE(MatchRoute("DELETE", "/nothing").other_method);
}

// No page about other people or the system is open to everybody by an oversight, and nothing can be
// changed by a link.
TEST(Routes, EachHasItsAccess) {
  for (const Route& route : Routes()) {
    for (const char* prefix : {"/users", "/clients", "/new-client", "/certificates", "/queue",
                               "/audit", "/database", "/system", "/statistics"}) {
      if (!route.path.starts_with(prefix)) continue;
      EXPECT_EQ(route.access, Access::kAdmin) << route.path;
    }
    if (route.access == Access::kAnybody) {
      EXPECT_TRUE(route.path == "/" || route.path == "/login" || route.path == "/logout" ||
                  route.path == "/preferences/theme")
          << route.path;
    }
    EXPECT_TRUE(route.method == "GET" || route.method == "POST");
  }
}

// The owner wants no export and no change of messages.
TEST(Routes, MessagesCanOnlyBeRead) {
  for (const Route& route : Routes()) {
    EXPECT_EQ(route.path.find("export"), std::string_view::npos);
    if (!route.path.starts_with("/messages")) continue;
    EXPECT_EQ(route.method, "GET") << route.path;
  }
}

}  // namespace
}  // namespace postern::portal

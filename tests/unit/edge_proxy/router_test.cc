#include "edge_proxy/router.h"

#include <gtest/gtest.h>

#include <set>

namespace postern::edge {
namespace {

TEST(Router, FindsEveryRoute) {
  EXPECT_EQ(MatchRoute("POST", "/api/v1/messages").route, Route::kPostMessage);
  EXPECT_EQ(MatchRoute("GET", "/api/v1/messages").route, Route::kListMessages);
  EXPECT_EQ(MatchRoute("POST", "/api/v1/messages:batch").route, Route::kPostBatch);
  EXPECT_EQ(MatchRoute("POST", "/api/v1/certificate:renew").route, Route::kRenewCertificate);
  EXPECT_EQ(MatchRoute("POST", "/api/v1/certificate:enrol").route, Route::kEnrolCertificate);
  EXPECT_EQ(MatchRoute("GET", "/api/v1/health").route, Route::kHealth);
  EXPECT_EQ(MatchRoute("GET", "/livez").route, Route::kLivez);
  EXPECT_EQ(MatchRoute("GET", "/readyz").route, Route::kReadyz);
  const RouteMatch match = MatchRoute("GET", "/api/v1/messages/abc");
  EXPECT_EQ(match.route, Route::kGetMessage);
  EXPECT_EQ(match.parameter, "abc");
}

TEST(Router, NamesTheMethodsOfAPath) {
  const RouteMatch put = MatchRoute("PUT", "/api/v1/messages");
  EXPECT_EQ(put.route, Route::kNotAllowed);
  EXPECT_EQ(put.allow, "POST, GET");
  EXPECT_EQ(MatchRoute("DELETE", "/api/v1/messages/abc").allow, "GET");
  EXPECT_EQ(MatchRoute("HEAD", "/livez").allow, "GET");
  // Methods are case-sensitive.
  EXPECT_EQ(MatchRoute("post", "/api/v1/messages").route, Route::kNotAllowed);
}

TEST(Router, KnowsNoOtherPath) {
  for (const char* path :
       {"/", "", "/api/v1/messages/", "/api/v1/messages/a/b", "/api/v1/Messages", "/api/v1/message",
        "/api/v1/messagesx", "//api/v1/messages", "/api/v1/./messages", "/metrics", "/api/v1",
        "/api/v1/messages%2fx", "/livez/"}) {
    EXPECT_EQ(MatchRoute("GET", path).route, Route::kNotFound) << path;
  }
}

TEST(Router, EveryRouteHasALabelOfItsOwn) {
  std::set<std::string_view> labels;
  for (std::size_t i = 0; i < kRoutes; ++i) {
    EXPECT_TRUE(labels.insert(RouteLabel(static_cast<Route>(i))).second);
  }
  EXPECT_EQ(labels.count(""), 0U);
}

}  // namespace
}  // namespace postern::edge

#include "edge_proxy/problem.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace postern::edge {
namespace {

std::string FieldOf(const http::Response& response, const std::string& name) {
  for (const auto& [field, value] : response.fields) {
    if (field == name) return value;
  }
  return "";
}

TEST(Problem, TableHasOneRowPerCodeInOrder) {
  std::set<std::string_view> slugs;
  int index = 0;
  for (const ProblemType& type : ProblemTypes()) {
    EXPECT_EQ(static_cast<int>(type.code), index++) << type.slug;
    EXPECT_TRUE(slugs.insert(type.slug).second) << type.slug;
    EXPECT_GE(type.status, 400);
    EXPECT_FALSE(type.title.empty());
    EXPECT_EQ(&TypeOf(type.code), &type);
  }
  EXPECT_EQ(index, static_cast<int>(ProblemCode::kIdempotencyFull) + 1);
}

TEST(Problem, EveryCodeIsAnsweredAsRfc9457) {
  for (const ProblemType& type : ProblemTypes()) {
    Problem problem;
    problem.code = type.code;
    problem.detail = "Quote \" and \\ and \n line";
    problem.retry_after_s = 7;
    const http::Response response = ProblemResponse(problem, "0190-id");
    EXPECT_EQ(response.status, type.status);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_EQ(FieldOf(response, "Request-Id"), "0190-id");
    EXPECT_EQ(FieldOf(response, "Retry-After"), "7");
    const auto json = nlohmann::json::parse(response.body);
    EXPECT_EQ(json["type"], "/problems/" + std::string(type.slug));
    EXPECT_EQ(json["title"], type.title);
    EXPECT_EQ(json["status"], type.status);
    EXPECT_EQ(json["detail"], problem.detail);
    EXPECT_EQ(json["instance"], "urn:uuid:0190-id");
    EXPECT_EQ(json["code"], type.slug);
    EXPECT_EQ(json["request_id"], "0190-id");
    EXPECT_FALSE(json.contains("errors"));
  }
}

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

TEST(Problem, EveryCodeHasItsPageAndEveryPageItsCode) {
  const std::string openapi = FileText("docs/api/openapi.yaml");
  const std::string list = FileText("docs/api/problems/README.md");
  std::set<std::string> pages{"README.md"};
  for (const ProblemType& type : ProblemTypes()) {
    const std::string slug(type.slug);
    const std::string status = std::to_string(type.status);
    const std::string title(type.title);
    pages.insert(slug + ".md");
    const std::string page = FileText("docs/api/problems/" + slug + ".md");
    EXPECT_EQ(page.rfind("# " + slug + "\n\n**" + status + " " + title + ".**\n", 0), 0U) << slug;
    EXPECT_NE(page.find("## What to do"), std::string::npos) << slug;
    const std::string row = "| [" + slug + "](" + slug + ".md) | " + status + " | " + title + " |";
    EXPECT_NE(list.find(row), std::string::npos) << row;
    EXPECT_NE(openapi.find("            - " + slug + "\n"), std::string::npos) << slug;
  }
  std::set<std::string> there;
  for (const auto& entry : std::filesystem::directory_iterator("docs/api/problems")) {
    there.insert(entry.path().filename());
  }
  EXPECT_EQ(there, pages);
}

TEST(Problem, ListsViolations) {
  Problem problem;
  problem.code = ProblemCode::kValidationFailed;
  problem.errors = {{"/a~1b", "", "unknown-member", "No."},
                    {"/x\"\x01", "", "required", "Missing."},
                    {"", "limit", "out-of-range", "No."}};
  const http::Response response = ProblemResponse(problem, "id");
  const auto json = nlohmann::json::parse(response.body);
  ASSERT_EQ(json["errors"].size(), 3U);
  EXPECT_EQ(json["errors"][2]["parameter"], "limit");
  EXPECT_FALSE(json["errors"][2].contains("pointer"));
  EXPECT_EQ(json["errors"][0]["pointer"], "/a~1b");
  EXPECT_EQ(json["errors"][0]["code"], "unknown-member");
  EXPECT_EQ(json["errors"][1]["pointer"], "/x\"\x01");
  EXPECT_EQ(FieldOf(response, "Retry-After"), "");
}

TEST(Problem, RefusalsOfTheHttpServerHaveCodes) {
  for (const int status : {400, 408, 411, 413, 431, 500, 501, 503}) {
    EXPECT_EQ(TypeOf(CodeOfRefusal(status)).status, status);
  }
  EXPECT_EQ(CodeOfRefusal(417), ProblemCode::kBadRequest);
}

}  // namespace
}  // namespace postern::edge

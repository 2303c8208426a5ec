#include "portal/web/templates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TemplatesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "postern-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / (name + ".mustache")) << text;
  }
  std::string Fault() {
    return std::string(ToStd(TemplateTexts::Load(folder_.string()).status().message()));
  }
  std::string Render(const std::string& page, const View& view) {
    auto texts = TemplateTexts::Load(folder_.string());
    EXPECT_TRUE(texts.ok()) << texts.status();
    Templates templates(*texts, [this](std::string_view, std::string_view variable) {
      missing_.emplace_back(variable);
    });
    return templates.Render(page, view);
  }

  std::filesystem::path folder_;
  std::vector<std::string> missing_;
};

TEST_F(TemplatesTest, EscapeEverything) {
  Write("page", "<p title=\"{{text}}\">{{text}}</p>");
  View view;
  view["text"] = View("<script>alert('x')</script>\" onload=\"&amp;");
  const std::string html = Render("page", view);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("\" onload"), std::string::npos);
  EXPECT_THAT(
      html,
      HasSubstr("&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt;&quot; onload=&quot;&amp;amp;"));
}

TEST_F(TemplatesTest, PartsAreTakenIn) {
  Write("part_row", "<b>{{> part_cell}}</b>");
  Write("part_cell", "{{value}}");
  Write("page", "{{#rows}}\n  {{> part_row}}\n{{/rows}}");
  View view;
  ViewList rows;
  for (const char* value : {"1", "2"}) {
    View row;
    row["value"] = View(value);
    rows.push_back(row);
  }
  view["rows"] = View(rows);
  EXPECT_THAT(Render("page", view), HasSubstr("<b>1</b>"));
  EXPECT_THAT(Render("page", view), HasSubstr("<b>2</b>"));
  EXPECT_TRUE(missing_.empty());
}

TEST_F(TemplatesTest, MissingVariablesAreTold) {
  Write("page", "{{there}}{{not_there}}{{#nor_this}}x{{/nor_this}}");
  View view;
  view["there"] = View("yes");
  EXPECT_EQ(Render("page", view), "yes");
  EXPECT_THAT(missing_, ElementsAre("not_there", "nor_this"));
}

TEST_F(TemplatesTest, WhatWouldUndoTheEscapingIsRefusedAtStart) {
  for (const char* text :
       {"{{{raw}}}", "{{& raw}}", "{{ &raw }}", "<script>x</script>", "<script type=\"module\">",
        "<STYLE>", "<p style=\"color:red\">", "<a onclick=\"x()\">", "<a href=\"javascript:x\">",
        "<a href={{url}}>", "<a HREF = {{url}}>"}) {
    Write("page", text);
    EXPECT_THAT(Fault(), HasSubstr("page.mustache")) << text;
  }
}

TEST_F(TemplatesTest, AVariableInAnAddressIsFine) {
  Write("page", "<a href=\"/x?range={{range}}\">x</a>");
  EXPECT_EQ(Fault(), "");
}

TEST_F(TemplatesTest, WhatIsNoTemplateIsRefusedAtStart) {
  Write("page", "{{> none}}");
  EXPECT_THAT(Fault(), HasSubstr("none"));
  Write("page", "{{> page}}");
  EXPECT_THAT(Fault(), HasSubstr("hold each other"));
  Write("page", "{{#open}}");
  EXPECT_THAT(Fault(), HasSubstr("page.mustache"));
  std::filesystem::remove(folder_ / "page.mustache");
  EXPECT_THAT(Fault(), HasSubstr("no templates"));
  std::filesystem::remove_all(folder_);
  EXPECT_THAT(Fault(), HasSubstr(folder_.string()));
}

TEST_F(TemplatesTest, AnEmptyTextIsNotThere) {
  Write("page", "{{#reason}}[{{reason}}]{{/reason}}{{^reason}}none{{/reason}}");
  View view;
  SetText(view, "reason", "");
  EXPECT_EQ(Render("page", view), "none");
  SetText(view, "reason", "why");
  EXPECT_EQ(Render("page", view), "[why]");
}

TEST(OwnTemplates, AllPassTheChecks) {
  const auto texts = TemplateTexts::Load(POSTERN_TEMPLATES);
  ASSERT_TRUE(texts.ok()) << texts.status();
  for (const char* page : {"login", "dashboard", "messages", "message", "error"}) {
    EXPECT_TRUE((*texts)->texts().contains(page)) << page;
  }
}

}  // namespace
}  // namespace postern::portal

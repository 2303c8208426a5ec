#pragma once

#include <functional>
#include <kainjow/mustache.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace postern::portal {

// What a template shows: an object of strings, booleans, lists and objects. Every text in it is
// escaped by the template.
using View = kainjow::mustache::data;
using ViewList = kainjow::mustache::list;

// Sets `name` to the text, or to false when it is empty, so that `{{#name}}` asks whether there is
// one.
void SetText(View& view, const std::string& name, std::string_view text);

// The text of all templates of a folder, `<name>.mustache` each, with `{{> part}}` replaced by the
// part's text. Read once; shared by all lanes.
class TemplateTexts {
 public:
  // NotFound or InvalidArgument name the file and what is wrong with it: not a template, a part
  // that does not exist or holds itself, an unescaped variable, an inline script, style or event
  // handler.
  static absl::StatusOr<std::shared_ptr<const TemplateTexts>> Load(const std::string& folder);
  const std::map<std::string, std::string, std::less<>>& texts() const { return texts_; }

 private:
  std::map<std::string, std::string, std::less<>> texts_;
};

// Renders templates. Not thread-safe: one per lane.
class Templates {
 public:
  // Called with template and variable for each variable that a view does not have.
  using OnMissing = std::function<void(std::string_view page, std::string_view variable)>;

  Templates(std::shared_ptr<const TemplateTexts> texts, OnMissing on_missing);

  bool Has(std::string_view page) const { return texts_->texts().contains(page); }
  // Empty for a template that does not exist.
  std::string Render(std::string_view page, const View& view);

 private:
  const std::shared_ptr<const TemplateTexts> texts_;
  const OnMissing on_missing_;
  std::map<std::string, kainjow::mustache::mustache, std::less<>> parsed_;
};

}  // namespace postern::portal

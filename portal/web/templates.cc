#include "portal/web/templates.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <regex>
#include <utility>

#include "absl/status/status.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"

namespace postern::portal {
namespace {

namespace fs = std::filesystem;
namespace mustache = kainjow::mustache;

constexpr std::string_view kSuffix = ".mustache";
constexpr int kPartsDepthMax = 8;
using Texts = std::map<std::string, std::string, std::less<>>;

// What must not be in a template: it would undo the escaping or need an exception from the
// Content-Security-Policy.
struct Ban {
  const char* pattern;
  const char* reason;
};
constexpr std::array kBans{
    Ban{R"(\{\{\{|\{\{\s*&)", "a variable that is not escaped"},
    Ban{R"(<script(?![^>]*\ssrc="\{\{))", "an inline script"},
    Ban{R"(<style)", "an inline style sheet"},
    Ban{R"(\sstyle\s*=)", "a style attribute"},
    Ban{R"(\son[a-z]+\s*=)", "an event handler attribute"},
    Ban{R"(javascript:)", "a javascript: address"},
    Ban{R"(<[^<>]*\s[a-z-]+\s*=\s*\{\{)", "a variable in an attribute without quotes"},
};

absl::Status Fault(std::string_view name, std::string_view reason) {
  return absl::InvalidArgumentError(StrCat("template ", name, kSuffix, ": ", reason));
}

absl::Status CheckText(const std::string& name, const std::string& text) {
  for (const Ban& ban : kBans) {
    if (std::regex_search(text, std::regex(ban.pattern, std::regex::icase))) {
      return Fault(name, ban.reason);
    }
  }
  return absl::OkStatus();
}

// Indentation is for who reads the template.
std::string WithoutIndentation(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool line_begin = true;
  for (const char c : text) {
    if (line_begin && (c == ' ' || c == '\n')) continue;
    line_begin = c == '\n';
    out.push_back(c);
  }
  return out;
}

absl::StatusOr<std::string> Expand(const Texts& raw, const std::string& name, int depth) {
  static const std::regex part(R"(\{\{>\s*([a-z0-9_]+)\s*\}\})");
  if (depth > kPartsDepthMax) return Fault(name, "its parts hold each other");
  const std::string& text = raw.find(name)->second;
  std::string out;
  auto at = text.cbegin();
  for (std::sregex_iterator found(text.cbegin(), text.cend(), part), end; found != end; ++found) {
    out.append(at, (*found)[0].first);
    const std::string part_name = (*found)[1].str();
    if (!raw.contains(part_name)) return Fault(name, StrCat("there is no part ", part_name));
    absl::StatusOr<std::string> inner = Expand(raw, part_name, depth + 1);
    if (!inner.ok()) return inner.status();
    out.append(*inner);
    at = (*found)[0].second;
  }
  out.append(at, text.cend());
  return out;
}

class NotingContext final : public mustache::context<std::string> {
 public:
  NotingContext(const View* view, std::string_view page, const Templates::OnMissing& on_missing)
      : mustache::context<std::string>(view), page_(page), on_missing_(on_missing) {}

  const View* get(const std::string& name) const override {
    const View* found = mustache::context<std::string>::get(name);
    if (found == nullptr && on_missing_ != nullptr) on_missing_(page_, name);
    return found;
  }

 private:
  const std::string_view page_;
  const Templates::OnMissing& on_missing_;
};

}  // namespace

void SetText(View& view, const std::string& name, std::string_view text) {
  if (text.empty()) {
    view[name] = View(false);
  } else {
    view[name] = View(std::string(text));
  }
}

absl::StatusOr<std::shared_ptr<const TemplateTexts>> TemplateTexts::Load(
    const std::string& folder) {
  Texts raw;
  std::error_code ec;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ec)) {
    if (entry.path().extension() != kSuffix) continue;
    absl::StatusOr<std::string> text = ReadFile(entry.path().string());
    if (!text.ok()) return text.status();
    const std::string name = entry.path().stem().string();
    if (absl::Status status = CheckText(name, *text); !status.ok()) return status;
    raw.emplace(name, WithoutIndentation(*text));
  }
  if (ec) return absl::NotFoundError(StrCat("folder of templates ", folder, ": ", ec.message()));
  if (raw.empty()) return absl::NotFoundError(StrCat("no templates in ", folder));
  auto loaded = std::make_shared<TemplateTexts>();
  for (const auto& [name, text] : raw) {
    absl::StatusOr<std::string> whole = Expand(raw, name, 0);
    if (!whole.ok()) return whole.status();
    // Parts open what others close.
    if (!name.starts_with("part_")) {
      const mustache::mustache parsed(*whole);
      if (!parsed.is_valid()) return Fault(name, parsed.error_message());
    }
    loaded->texts_.emplace(name, *std::move(whole));
  }
  return loaded;
}

Templates::Templates(std::shared_ptr<const TemplateTexts> texts, OnMissing on_missing)
    : texts_(std::move(texts)), on_missing_(std::move(on_missing)) {}

std::string Templates::Render(std::string_view page, const View& view) {
  auto parsed = parsed_.find(page);
  if (parsed == parsed_.end()) {
    const auto text = texts_->texts().find(page);
    if (text == texts_->texts().end()) return {};
    parsed = parsed_.emplace(text->first, mustache::mustache(text->second)).first;
  }
  NotingContext context(&view, page, on_missing_);
  return parsed->second.render(context);
}

}  // namespace postern::portal

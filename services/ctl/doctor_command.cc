#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/common/base/strings.h"
#include "services/ctl/command.h"
#include "services/ctl/doctor.h"
#include "services/ctl/table.h"

namespace postern::ctl {
namespace {

std::string StateName(Finding::State state) {
  switch (state) {
    case Finding::State::kPass:
      return "pass";
    case Finding::State::kWarn:
      return "warn";
    case Finding::State::kFail:
      return "fail";
    case Finding::State::kSkip:
      return "skip";
  }
  return "fail";
}

std::string PaintedState(const Context& context, Finding::State state) {
  const std::string name = StateName(state);
  switch (state) {
    case Finding::State::kPass:
      return context.Paint(name, Context::Colour::kGreen);
    case Finding::State::kFail:
      return context.Paint(name, Context::Colour::kRed);
    default:
      return context.Paint(name, Context::Colour::kYellow);
  }
}

void PrintJson(Context& context, const std::vector<Finding>& findings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    nlohmann::ordered_json item;
    item["name"] = finding.name;
    item["status"] = StateName(finding.state);
    item["detail"] = finding.detail;
    item["fix"] = finding.fix;
    list.push_back(std::move(item));
  }
  nlohmann::ordered_json document;
  document["checks"] = std::move(list);
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  context.out() << document.dump(2, ' ', false, kReplace) << '\n';
}

void PrintText(Context& context, const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    context.out() << PaintedState(context, finding.state) << "  " << Printable(finding.name) << ": "
                  << Printable(finding.detail) << '\n';
    if (!finding.fix.empty()) context.out() << "      fix: " << Printable(finding.fix) << '\n';
  }
}

absl::Status Doctor(Context& context) {
  const std::vector<Finding> findings = Examine(context);
  if (context.options().json()) {
    PrintJson(context, findings);
  } else {
    PrintText(context, findings);
  }
  const auto failed = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.state == Finding::State::kFail;
  });
  if (failed == 0) return absl::OkStatus();
  return absl::InternalError(StrCat(failed, " of ", findings.size(), " checks failed"));
}

}  // namespace

void AddDoctorCommand(CommandTree& tree, Context& context) {
  tree.Verb(&tree.root(), "doctor",
            "Examines configuration, certificate, server, clock, database and programs.", "",
            [&context] { return Doctor(context); });
}

}  // namespace postern::ctl

#include <array>

#include "portal/pages/visit.h"
#include "services/common/base/strings.h"
#include "services/common/log/log.h"

namespace postern::portal {
namespace {

struct Entry {
  const char* section;
  const char* path;
  const char* label;
  const char* icon;
};

constexpr std::array kForEveryone{
    Entry{"dashboard", "/dashboard", "Dashboard", "gauge"},
    Entry{"messages", "/messages", "Messages", "mail"},
    Entry{"help", "/help", "Help", "help"},
};
constexpr std::array kForAdmins{
    Entry{"queue", "/queue", "Queue", "layers"},
    Entry{"statistics", "/statistics", "Statistics", "chart"},
    Entry{"clients", "/clients", "Clients", "plug"},
    Entry{"certificates", "/certificates", "Certificates", "shield"},
    Entry{"users", "/users", "Users", "users"},
    Entry{"audit", "/audit", "Audit log", "list"},
    Entry{"database", "/database", "Database", "database"},
    Entry{"system", "/system", "System", "server"},
};

template <typename Entries>
View Items(const Entries& entries, std::string_view section) {
  ViewList items;
  for (const Entry& entry : entries) {
    View item;
    item["path"] = View(entry.path);
    item["label"] = View(entry.label);
    item["icon"] = View(entry.icon);
    item["current"] = View(section == entry.section);
    items.push_back(item);
  }
  return View(items);
}

struct ErrorText {
  int status;
  const char* title;
  const char* detail;
};
constexpr std::array kErrors{
    ErrorText{400, "This request could not be read",
              "Something in the address or the form is not as it should be."},
    ErrorText{
        403, "This is not for you",
        "You are signed in, and your role does not allow it. An administrator can change that."},
    ErrorText{404, "There is nothing here",
              "The address is wrong, what was here is gone, or it is not yours to see."},
    ErrorText{405, "This address does not take that", "Open it as a page, or go back to the form."},
    ErrorText{409, "It does not fit any more", "What you meant to change has changed meanwhile."},
    ErrorText{429, "That was a bit much",
              "There were too many requests. Wait a moment and try again."},
    ErrorText{500, "Something went wrong here",
              "The fault is ours. If it happens again, tell your administrator the request id."},
    ErrorText{
        503, "The main server cannot be reached",
        "Messages are still being accepted and wait in the queue. Nothing is lost meanwhile."},
};

const ErrorText& TextOf(int status) {
  for (const ErrorText& text : kErrors) {
    if (text.status == status) return text;
  }
  return status < 500 ? kErrors.front() : kErrors[6];
}

}  // namespace

void Visit::AddNavigation(View& view, std::string_view section) const {
  view["for_everyone"] = Items(kForEveryone, section);
  if (admin()) {
    view["for_admins"] = Items(kForAdmins, section);
  } else {
    view["for_admins"] = View(false);
  }
  view["profile_current"] = View(section == "profile");
}

http::Response Visit::ErrorPage(int status, std::string_view detail) {
  const ErrorText& text = TextOf(status);
  View view = Frame(text.title, "");
  view["status"] = View(std::to_string(status));
  view["detail"] = View(detail.empty() ? std::string(text.detail) : std::string(detail));
  // Only a page that was asked for can be asked for again.
  SetText(view, "retry",
          status == 503 && request.method == "GET" ? StrCat(request.path, query.ToQuery()) : "");
  view["retry_after"] = View(std::to_string(kRetryAfterSeconds));
  http::Response response = Page("error", view, status);
  if (status == 503 || status == 429) {
    response.fields.emplace_back("Retry-After", std::to_string(kRetryAfterSeconds));
  }
  return response;
}

http::Response Visit::Failure(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return ToLogin();
    case absl::StatusCode::kPermissionDenied:
      return ErrorPage(403);
    case absl::StatusCode::kNotFound:
      return ErrorPage(404);
    case absl::StatusCode::kInvalidArgument:
      return ErrorPage(400, ToStd(status.message()));
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return ErrorPage(409, ToStd(status.message()));
    case absl::StatusCode::kResourceExhausted:
      return ErrorPage(429);
    // We end no call ourselves: whoever ended it was a server that is going away.
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ErrorPage(503);
    default:
      static log::RateLimit limit;
      if (limit.Allow()) {
        log::Error("call_failed", "code", static_cast<int>(status.code()), "request_id",
                   request_id);
      }
      return ErrorPage(500);
  }
}

}  // namespace postern::portal

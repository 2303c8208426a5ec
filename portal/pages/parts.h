#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "portal/pages/visit.h"

// What several pages show.
namespace postern::portal {

// A mark with a picture and a word: {kind, icon, word}.
View Mark(const char* kind, const char* icon, std::string_view word);
View StateMark(v1::MessageState state);

// The word of a state in addresses: `queued`, `retrying`, `delivered`, `dead`.
std::string_view StateWord(v1::MessageState state);
std::optional<v1::MessageState> StateOfWord(std::string_view word);

// What a code such as AUTHENTICATION_FAILED means, for people; the code itself where nothing is
// known about it.
std::string ReasonText(std::string_view code);

// The text that a page says after an act: the one that `?done=` names in a fixed table, so that a
// link cannot put words into our mouth.
void PutNotice(View& view, const Visit& visit);

// Sets `older` and `newer` to the addresses of the neighbouring pages, false where there is none,
// and `paged` where there is any.
// `tokens`: of the page after and before; the place is the query field `page`.
struct PageTokens {
  std::string_view next;
  std::string_view previous;
};
void PutPages(View& view, const Visit& visit, PageTokens tokens);

// Rows a page by the query field `size`, within kRowsPerPageMax.
int PageSize(const Visit& visit);

// One choice of a select or a group: {value, label, chosen}.
View Choice(std::string_view value, std::string_view label, bool chosen);

// A removable filter: {label, remove}, without the places within the list.
View Chip(const Visit& visit, std::string_view label, std::string_view field,
          std::string_view value);

// A page that asks whether to do something that cannot be undone or hurts.
struct Confirmation {
  std::string title;
  std::string text;
  std::string action;  // Where the form goes.
  std::string back;
  std::string button;
  bool stops = true;         // Shown in red.
  bool asks_reason = false;  // For the audit log.
  std::string typed;         // What has to be typed; empty: nothing.
  std::vector<std::pair<std::string, std::string>> hidden;
  Faults faults;
  std::string section;
};
http::Response ConfirmationPage(Visit& visit, const Confirmation& confirmation);

// A login attempt: {time, succeeded, address, browser}.
ViewList LoginRows(const Visit& visit,
                   const google::protobuf::RepeatedPtrField<v1::LoginRecord>& logins);
// A session: {id, browser, address, began, refreshed, current}.
ViewList SessionRows(const Visit& visit,
                     const google::protobuf::RepeatedPtrField<v1::Session>& sessions);

// `Firefox on Linux`, by what browsers call themselves; the beginning of the text otherwise.
std::string BrowserName(std::string_view user_agent);

}  // namespace postern::portal

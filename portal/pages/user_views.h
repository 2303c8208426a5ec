#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "portal/pages/visit.h"

// What the pages about users show.
namespace postern::portal {

// The user whom the address names; false when it names none.
bool SetUserKey(const Visit& visit, v1::UserKey* key);
View UserRow(const Visit& visit, const v1::User& user);
void PutUserFilter(View& view, std::string_view role, std::string_view state);
http::Response UserPage(Visit& visit, const v1::GetUserResponse& found, const Faults& faults);
// Shown once, after it was made.
http::Response OneTimePasswordPage(Visit& visit, const v1::User& user, const std::string& password);
// What stands between blanks and commas.
std::vector<std::string> Words(std::string_view text);

}  // namespace postern::portal

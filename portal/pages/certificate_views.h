#pragma once

#include <string_view>

#include "portal/pages/visit.h"

// What the pages about certificates show.
namespace postern::portal {

// Valid, ends soon, expired or revoked.
View CertificateMark(const v1::Certificate& certificate, std::int64_t now_us);
View CertificateRow(const Visit& visit, const v1::Certificate& certificate);
// Everything about one certificate.
void PutCertificate(View& view, const Visit& visit, const v1::Certificate& certificate);
std::optional<v1::RevocationReason> ReasonOfWord(std::string_view word);
// The choices of a reason, for people.
ViewList ReasonChoices(std::string_view chosen);

}  // namespace postern::portal

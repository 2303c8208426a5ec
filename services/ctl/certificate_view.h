#pragma once

#include <ostream>
#include <span>
#include <string>

#include "postern/v1/certificate_service.pb.h"

namespace postern::ctl {

// `valid`, `expired`, `revoked`.
std::string StateText(v1::CertificateState state);
// `incoming`, `active`, `outgoing`, `retired`.
std::string StateText(v1::AuthorityState state);
// `key-compromise`.
std::string ReasonText(v1::RevocationReason reason);
// False for another text.
bool ParseReason(const std::string& text, v1::RevocationReason* reason);

// Certificates as a table.
void PrintCertificates(std::ostream& out, std::span<const v1::Certificate* const> certificates,
                       bool with_header);
// One with all its fields.
void PrintCertificate(std::ostream& out, const v1::Certificate& certificate);

}  // namespace postern::ctl

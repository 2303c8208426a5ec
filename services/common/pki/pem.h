#pragma once

#include <openssl/types.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/crypto/openssl_ptr.h"

// What the parsers of this folder share.
namespace postern::pki {

// The DER in a text that is DER or one PEM block with this label (`CERTIFICATE REQUEST`); what
// stands before and after the block is skipped, as RFC 7468 allows. InvalidArgument when there is
// no such block or a second one.
absl::StatusOr<std::string> DerOf(std::string_view text, std::string_view label);

// One PEM block.
std::string PemOf(std::string_view der, std::string_view label);

// The UTF-8 of a subject's only common name; empty for none, InvalidArgument for several.
absl::StatusOr<std::string> CommonNameOf(const X509_NAME* subject);

// Appends a CN or O of 1 to 64 characters of UTF-8 to a name (X.520's bound; ends the process
// otherwise).
void AppendToName(X509_NAME* name, const char* field, std::string_view text);

}  // namespace postern::pki

#include "services/common/pki/pem.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include <climits>

#include "absl/status/status.h"
#include "services/common/base/strings.h"
#include "services/common/crypto/openssl_check.h"

namespace postern::pki {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";

std::string Line(std::string_view mark, std::string_view label) {
  return StrCat(mark, label, "-----");
}

}  // namespace

absl::StatusOr<std::string> DerOf(std::string_view text, std::string_view label) {
  if (text.find(kBegin) == std::string_view::npos) return std::string(text);
  const std::string first = Line(kBegin, label);
  const std::string last = Line(kEnd, label);
  const std::size_t begin = text.find(first);
  const std::size_t end = text.find(last, begin == std::string_view::npos ? 0 : begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) {
    return absl::InvalidArgumentError(StrCat("there is no whole PEM block of a ", label));
  }
  if (text.find(first, end) != std::string_view::npos) {
    return absl::InvalidArgumentError(StrCat("there is more than one PEM block of a ", label));
  }
  const std::string_view block = text.substr(begin, end + last.size() - begin);
  const crypto::BioPtr bio(BIO_new_mem_buf(block.data(), static_cast<int>(block.size())));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(StrCat("the PEM block of the ", label, " is broken"));
  }
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  return der;
}

std::string PemOf(std::string_view der, std::string_view label) {
  const crypto::BioPtr bio(BIO_new(BIO_s_mem()));
  crypto::RequireOpenSsl(bio != nullptr && der.size() < INT_MAX, "BIO_new");
  crypto::RequireOpenSsl(PEM_write_bio(bio.get(), std::string(label).c_str(), "",
                                       reinterpret_cast<const unsigned char*>(der.data()),
                                       static_cast<long>(der.size())) > 0,
                         "PEM_write_bio");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

absl::StatusOr<std::string> CommonNameOf(const X509_NAME* subject) {
  const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (first < 0) return "";
  if (X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) {
    return absl::InvalidArgumentError("the subject has several common names");
  }
  unsigned char* utf8 = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
  if (size < 0) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the common name of the subject is no text");
  }
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

void AppendToName(X509_NAME* name, const char* field, std::string_view text) {
  crypto::RequireOpenSsl(
      X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(text.data()),
                                 static_cast<int>(text.size()), -1, 0) == 1,
      "X509_NAME_add_entry_by_txt");
}

}  // namespace postern::pki

#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

// Owners of what OpenSSL gives out.
namespace postern::crypto {

template <auto kFree>
struct OpenSslFree {
  template <typename Object>
  void operator()(Object* object) const noexcept {
    kFree(object);
  }
};

using BioPtr = std::unique_ptr<BIO, OpenSslFree<&BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree<&EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, OpenSslFree<&X509_free>>;
using X509CrlPtr = std::unique_ptr<X509_CRL, OpenSslFree<&X509_CRL_free>>;
using X509RequestPtr = std::unique_ptr<X509_REQ, OpenSslFree<&X509_REQ_free>>;
using Asn1IntegerPtr = std::unique_ptr<ASN1_INTEGER, OpenSslFree<&ASN1_INTEGER_free>>;
using BigNumberPtr = std::unique_ptr<BIGNUM, OpenSslFree<&BN_free>>;

}  // namespace postern::crypto

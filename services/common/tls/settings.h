#pragma once

#include <string>

namespace postern::tls {

// The files of one TLS endpoint, PEM. The key must not be readable by group or others.
struct Files {
  std::string certificate;  // The leaf first, then intermediates.
  std::string key;
  std::string
      trust;  // The issuing CA that peers' certificates must come from. Never the root alone.
};

}  // namespace postern::tls

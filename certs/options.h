#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace postern::certs {

// How postern-certs ends. Scripts depend on the numbers.
enum Exit : int {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kExpiring = 11,  // verify: good, but ends within --within.
  kBad = 12,       // verify: expired, revoked, not yet valid or not of this CA.
};

// What the command line says.
struct Options {
  std::string folder = "certs/generated";
  std::string passphrase_file;       // Empty: <folder>/passphrase.
  std::string root_passphrase_file;  // Empty: the same.
  std::string PassphraseFile() const {
    return passphrase_file.empty() ? folder + "/passphrase" : passphrase_file;
  }

  std::string trust_domain = "postern.local";
  std::string key_kind = "ec-p256";
  std::string authority;  // `services`, or `services-2`.
  bool force = false;

  std::string profile;
  std::vector<std::string> names;
  std::vector<std::string> hosts;
  int days = 0;
  std::int64_t life_seconds = 0;
  std::string csr_file;
  std::string key_file;
  std::string out;
  std::string pkcs12_file;
  std::string password_file;

  std::string file;
  std::string serial;
  std::string issuer;
  std::string reason = "unspecified";
  bool lineage = false;
  int within_days = 14;
  bool expiring_only = false;
  bool json = false;

  std::string target;
  std::string server_name = "localhost";
  std::string certificate_file;
  std::string trust_file;
  std::string expect = "accepted";
  int port = 0;
  int connections = 1;
  double timeout_seconds = 5;
};

}  // namespace postern::certs

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <string>

#include "certs/commands.h"
#include "services/common/app/process.h"
#include "services/common/base/strings.h"
#include "services/common/base/version.h"

namespace postern::certs {
namespace {

using Action = absl::StatusOr<int> (*)(const Options&);

constexpr char kFooter[] =
    "Exit status: 0 success, 1 failure, 2 wrong usage; verify: 0 good, 11 ends soon, 12 expired,\n"
    "revoked or not of this CA; handshake: 12 when it did not end as expected.";

class Program {
 public:
  Program() : app_("A certificate authority of files: no server is needed.", "postern-certs") {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.footer(kFooter);
    app_.set_version_flag("--version", StrCat("postern-certs ", Version()));
    app_.add_option("--folder", o_.folder, "Where the CA lies (certs/generated)")
        ->envname("POSTERN_CERTS_FOLDER");
    app_.add_option("--passphrase-file", o_.passphrase_file,
                    "Passphrase of the issuing CAs' keys (<folder>/passphrase)")
        ->envname("POSTERN_CERTS_PASSPHRASE_FILE");
    app_.add_option("--root-passphrase-file", o_.root_passphrase_file,
                    "Passphrase of the root's key (the same)");
    AddAuthority();
    AddLeaves();
    AddHandshake();
  }

  int Run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? kOk : kUsage;
    }
    const absl::StatusOr<int> code = chosen_(o_);
    if (code.ok()) return *code;
    std::cerr << "postern-certs: " << code.status().message() << '\n';
    return kFailure;
  }

 private:
  CLI::App* Verb(CLI::App& parent, const char* name, const char* what, Action action) {
    CLI::App* const verb = parent.add_subcommand(name, what);
    verb->callback([this, action] { chosen_ = action; });
    return verb;
  }

  void AddKeyKind(CLI::App* verb) {
    verb->add_option("--key-kind", o_.key_kind, "ec-p256, ec-p384 or rsa-3072 (ec-p256)");
  }

  void AddAuthority() {
    CLI::App* const init = Verb(app_, "init", "Makes root CA, ServicesCA and ClientsCA.", Init);
    init->add_option("--trust-domain", o_.trust_domain, "A host name in lower case");
    AddKeyKind(init);
    CLI::App* const noun = app_.add_subcommand("authority", "The issuing CAs.");
    noun->require_subcommand(1);
    CLI::App* const make = Verb(
        *noun, "new", "Makes the next issuing CA of a kind; needs the root's key.", NewAuthority);
    make->add_option("kind", o_.authority, "services or clients")->required();
    AddKeyKind(make);
    Verb(*noun, "activate", "New certificates come from it.", ActivateAuthority)
        ->add_option("name", o_.authority, "Such as services-2")
        ->required();
    Verb(*noun, "retire", "Nobody trusts it any more.", RetireAuthority)
        ->add_option("name", o_.authority, "Such as services-1")
        ->required();
    Verb(*noun, "list", "Name, state, end, SHA-256.", certs::ListAuthorities);
  }

  void AddLeaves() {
    CLI::App* const issue = Verb(app_, "issue", "Issues certificates.", certs::Issue);
    issue
        ->add_option("profile", o_.profile,
                     "client, edge, worker, portal, server, operator, listen or store")
        ->required();
    issue->add_option("name", o_.names, "Its name; several with new keys")->required();
    issue->add_option("--days", o_.days, "Life in days (by profile)")->check(CLI::Range(1, 36500));
    issue->add_option("--life-seconds", o_.life_seconds, "Life in seconds")
        ->check(CLI::Range(1, 2'000'000'000));
    issue->add_option("--host", o_.hosts, "DNS name or IP address beside localhost");
    AddKeySource(issue);
    CLI::App* const renew =
        Verb(app_, "renew", "Issues the successor of a good certificate.", certs::Renew);
    renew->add_option("file", o_.file, "The certificate, PEM")->required();
    AddKeySource(renew);
    CLI::App* const revoke =
        Verb(app_, "revoke", "Revokes a certificate and writes a new CRL.", certs::Revoke);
    revoke->add_option("certificate", o_.serial, "Its file, or its serial number")->required();
    revoke->add_option("--reason", o_.reason, "Such as key-compromise (unspecified)");
    revoke->add_option("--issuer", o_.issuer, "Its issuing CA, if it was not issued here");
    revoke->add_flag("--lineage", o_.lineage, "Also all that were renewed from it");
    CLI::App* const verify = Verb(app_, "verify", "Says whether a certificate is good.", Verify);
    verify->add_option("file", o_.file, "The certificate, PEM")->required();
    verify->add_option("--within", o_.within_days, "Ends soon: within so many days (14)");
    CLI::App* const list = Verb(app_, "list", "What was issued, by end of life.", certs::List);
    list->add_flag("--expiring", o_.expiring_only, "Only what ends soon");
    list->add_option("--within", o_.within_days, "Ends soon: within so many days (14)");
    list->add_flag("--json", o_.json, "As JSON");
    Verb(app_, "fingerprint", "SHA-256 of a certificate.", Fingerprint)
        ->add_option("file", o_.file, "The certificate, PEM")
        ->required();
    Verb(app_, "crl", "Writes new CRLs.", Crl);
  }

  void AddKeySource(CLI::App* verb) {
    AddKeyKind(verb);
    verb->add_option("--csr", o_.csr_file, "A certificate request; otherwise a new key is made");
    verb->add_option("--out", o_.out, "Path of the files without .pem and .key");
    verb->add_option("--pkcs12", o_.pkcs12_file, "Write key and chain to this PKCS#12 file");
    verb->add_option("--password-file", o_.password_file, "Its password, a file of mode 0600");
  }

  void AddHandshake() {
    CLI::App* const noun = app_.add_subcommand("handshake", "Tries mutual TLS, from either side.");
    noun->require_subcommand(1);
    CLI::App* const connect = Verb(
        *noun, "connect", "Connects and says who was there, or who refused.", HandshakeConnect);
    connect->add_option("target", o_.target, "HOST:PORT")->required();
    connect->add_option("--name", o_.server_name, "Name to verify; empty: none (localhost)");
    connect->add_option("--expect", o_.expect, "accepted or refused (accepted)")
        ->check(CLI::IsMember({"accepted", "refused"}));
    CLI::App* const listen =
        Verb(*noun, "listen", "Answers connections and says who came.", HandshakeListen);
    listen->add_option("--port", o_.port, "Port on 127.0.0.1; 0: any");
    listen->add_option("--connections", o_.connections, "Ends after so many (1)");
    for (CLI::App* verb : {connect, listen}) {
      verb->add_option("--certificate", o_.certificate_file, "Shown, PEM")->required();
      verb->add_option("--key", o_.key_file, "Its key")->required();
      verb->add_option("--trust", o_.trust_file, "Whom to trust, PEM")->required();
      verb->add_option("--timeout", o_.timeout_seconds, "Seconds (5)");
    }
  }

  CLI::App app_;
  Options o_;
  Action chosen_ = nullptr;
};

}  // namespace
}  // namespace postern::certs

int main(int argc, char** argv) {
  // Keys of CAs are in memory.
  if (const absl::Status s = postern::app::DisableCoreDumps(); !s.ok()) {
    std::cerr << "postern-certs: " << s.message() << '\n';
  }
  postern::certs::Program program;
  return program.Run(argc, argv);
}

#include "services/ctl/doctor.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/base/files.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/db/migrations.h"
#include "services/common/rpc/status.h"
#include "services/common/tls/identity.h"
#include "services/ctl/http_get.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

using State = Finding::State;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
// Certificates live for a week and are renewed at two thirds of it.
constexpr std::int64_t kWarnBelowSeconds = 7 * 24 * 3600 / 3;

std::string Message(const absl::Status& status) { return std::string(ToStd(status.message())); }

Finding Certificate(const Config& config) {
  Finding finding{"certificate", State::kPass, "", ""};
  if (config.mesh.certificate.empty()) {
    return {"certificate", State::kSkip, "mesh.certificate_file is not set", ""};
  }
  const absl::StatusOr<tls::Life> life = tls::CertificateLife(config.mesh.certificate);
  if (!life.ok()) {
    return {"certificate", State::kFail, Message(life.status()),
            "Set mesh.certificate_file to an operator's certificate."};
  }
  const absl::Status key = ReadSecretFile(config.mesh.key).status();
  if (!key.ok()) {
    return {"certificate", State::kFail, Message(key),
            "Correct mesh.key_file; the key has to be yours alone (chmod 600)."};
  }
  const std::int64_t left_s = life->not_after_s - NowMicros() / kMicrosPerSecond;
  finding.detail = StrCat(left_s <= 0 ? "ended at " : "ends at ",
                          FormatRfc3339(life->not_after_s * kMicrosPerSecond));
  if (left_s < kWarnBelowSeconds) {
    finding.state = left_s <= 0 ? State::kFail : State::kWarn;
    finding.fix = StrCat("Renew ", config.mesh.certificate, ".");
  }
  return finding;
}

Finding Unreachable(const Config& config, const absl::Status& status) {
  Finding finding{"server", State::kFail, Message(status), ""};
  if (status.code() == absl::StatusCode::kPermissionDenied) {
    finding.fix = "Use an operator's certificate: its SPIFFE id has the role operator.";
  } else if (status.code() == absl::StatusCode::kFailedPrecondition) {
    finding.fix = "Complete the configuration.";
  } else {
    finding.fix = StrCat("Check that postern-server runs at ", config.server_target,
                         ", and that both certificates are of one mesh and valid.");
  }
  return finding;
}

Finding Clock(std::int64_t before_us, std::int64_t server_us, std::int64_t after_us) {
  // The server's time is known to within the round trip.
  const std::int64_t skew_us = server_us < before_us
                                   ? before_us - server_us
                                   : std::max<std::int64_t>(0, server_us - after_us);
  Finding finding{"clock", State::kPass, StrCat("within ", skew_us / 1000, " ms of the server's"),
                  ""};
  if (skew_us > kClockSkewMaxUs) {
    finding.state = State::kWarn;
    finding.detail = StrCat("differs from the server's by ", skew_us / kMicrosPerSecond, " s");
    finding.fix = "Let both machines take their time from NTP.";
  }
  return finding;
}

Finding LedgerFinding(const v1::GetLedgerResponse& ledger) {
  Finding finding{"ledger", State::kPass, "", ""};
  finding.detail =
      StrCat(ledger.accepted(), " accepted, ", ledger.delivered(), " delivered, ", ledger.pending(),
             " pending, ", ledger.dead(), " dead, gap ", ledger.gap());
  if (!ledger.closed()) {
    finding.state = State::kWarn;
    finding.fix =
        "Messages are on their way, or unaccounted for: look again once the queue is empty.";
  }
  return finding;
}

void Server(Context& context, const Config& config, std::vector<Finding>& findings) {
  const auto channel = context.Channel();
  if (!channel.ok()) {
    findings.push_back(Unreachable(config, channel.status()));
    return;
  }
  v1::GetLedgerResponse ledger;
  const std::int64_t before_us = NowMicros();
  const grpc::Status status =
      v1::MessageService::NewStub(*channel)->GetLedger(context.Call().get(), {}, &ledger);
  const std::int64_t after_us = NowMicros();
  if (!status.ok()) {
    findings.push_back(Unreachable(config, rpc::FromGrpc(status)));
    return;
  }
  findings.push_back({"server", State::kPass,
                      StrCat(config.server_target, " answered in ", (after_us - before_us) / 1000,
                             " ms and takes this certificate"),
                      ""});
  findings.push_back(Clock(before_us, ledger.measured_at_us(), after_us));
  findings.push_back(LedgerFinding(ledger));
}

// OpenSchema's state in one sentence, with what to do about it.
Finding Migrations(const Config& config, db::Connection& connection) {
  const auto migrations = db::ReadMigrations(config.migrations_folder);
  if (!migrations.ok()) {
    return {"migrations", State::kFail, Message(migrations.status()),
            "Set migrations_folder to the folder of this version."};
  }
  const auto applied = db::ReadAppliedMigrations(connection);
  if (!applied.ok()) {
    return {"migrations", State::kFail, Message(applied.status()),
            "database.user has to be the account that may change the schema."};
  }
  const absl::Status valid = db::ValidateMigrations(*migrations, *applied);
  if (!valid.ok()) {
    return {"migrations", State::kFail, Message(valid), "Look closer: posternctl db status"};
  }
  return {"migrations", State::kPass, StrCat(applied->size(), " applied, none missing"), ""};
}

void Database(Context& context, const Config& config, std::vector<Finding>& findings) {
  if (config.database.user.empty()) {
    findings.push_back({"database", State::kSkip, "database.user is not set", ""});
    return;
  }
  const auto limit = std::chrono::ceil<std::chrono::seconds>(context.timeout());
  const auto connection = context.Database(limit);
  if (!connection.ok()) {
    findings.push_back(
        {"database", State::kFail, Message(connection.status()),
         StrCat("Check that the database runs at ", config.database.host, ":", config.database.port,
                " with TLS, and the account and files under database.")});
    return;
  }
  findings.push_back({"database", State::kPass,
                      StrCat(config.database.host, ":", config.database.port, " over TLS"), ""});
  findings.push_back(Migrations(config, **connection));
}

// The lines of `/readyz?verbose` for checks that do not pass.
std::string Complaints(const std::string& body) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(body, '\n', absl::SkipEmpty())) {
    const bool passes =
        ToStd(line).starts_with("[+]") && ToStd(line).find(" pass") != std::string::npos;
    if (!passes && line != "ok") lines.emplace_back(line);
  }
  return absl::StrJoin(lines, "; ");
}

Finding OpsPort(Context& context, const std::string& url) {
  const std::string name = StrCat("ready ", url);
  const auto answer = HttpGet(url, "/readyz?verbose", context.timeout());
  if (!answer.ok()) {
    return {name, State::kFail, Message(answer.status()),
            "Start the program, or correct ops.urls; ops ports listen on loopback by default."};
  }
  const std::string complaints = Complaints(answer->body);
  if (answer->status == 200) {
    return complaints.empty() ? Finding{name, State::kPass, "ready", ""}
                              : Finding{name, State::kWarn, complaints, "See the program's log."};
  }
  return {name, State::kFail, StrCat("status ", answer->status, ": ", complaints),
          "Repair what is named; the program's log says more."};
}

}  // namespace

std::vector<Finding> Examine(Context& context) {
  const absl::StatusOr<const Config*> config = context.LoadConfiguration();
  if (!config.ok()) {
    return {{"configuration", State::kFail, Message(config.status()),
             "Name the file with --config or POSTERNCTL_CONFIG, and correct what is named."}};
  }
  std::vector<Finding> findings;
  findings.push_back({"configuration", State::kPass, context.options().config_path, ""});
  findings.push_back(Certificate(**config));
  Server(context, **config, findings);
  Database(context, **config, findings);
  for (const std::string& url : (*config)->ops_urls) findings.push_back(OpsPort(context, url));
  return findings;
}

}  // namespace postern::ctl

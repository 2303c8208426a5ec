#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdint>
#include <string>

#include "services/common/db/connection.h"
#include "tests/load/preload_command.h"
#include "tests/load/run_command.h"
#include "tests/load/verify_command.h"

namespace postern::load {
namespace {

void AddRun(CLI::App& app, RunSettings& settings, std::int64_t& seconds, std::int64_t& warmup,
            bool& json) {
  CLI::App* run = app.add_subcommand("run", "Sends messages over mutual TLS and says how it went.");
  run->add_option("--host", settings.host, "Host of the edge, verified in its certificate.")
      ->capture_default_str();
  run->add_option("--port", settings.port, "Port of the edge.")->capture_default_str();
  run->add_option("--path", settings.path, "Path of the requests.")->capture_default_str();
  run->add_option("--clients", settings.clients_folder,
                  "Folder with client certificates: <name>.pem and <name>.key. Connections are "
                  "spread over them.")
      ->required();
  run->add_option("--trust", settings.trust_file, "CA that the edge's certificate comes from.")
      ->required();
  run->add_option("--connections", settings.connections, "Connections, one request at a time each.")
      ->check(CLI::Range(1, 20000))
      ->capture_default_str();
  run->add_option(
         "--rate", settings.rate,
         "Requests a second on a constant schedule (open loop); latencies count from the "
         "scheduled moment. 0: each connection sends when it has its answer (closed loop).")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  run->add_flag("--impatient", settings.impatient,
                "Sends on after a refusal, whatever its Retry-After says.");
  run->add_option("--body-chars", settings.body_chars, "Code points of each message body.")
      ->check(CLI::Range(32, 1000))
      ->capture_default_str();
  run->add_flag("--keys", settings.keyed, "Each message has an idempotency key of its own.");
  run->add_option("--batch", settings.batch,
                  "Messages in each request, as a batch; 0: one message, by itself.")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  run->add_option("--seconds", seconds, "How long, the warm-up included.")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  run->add_option("--warmup-seconds", warmup, "First part of the run, left out of the figures.")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  run->add_option("--ledger", settings.ledger_path,
                  "New file for every attempt and its outcome, for `postern-load verify`.");
  run->add_flag("--json", json, "One JSON line on stdout.");
}

void AddConfig(CLI::App& command, std::string& ctl_config) {
  command.add_option("--ctl-config", ctl_config, "Configuration file of posternctl.")->required();
}

CLI::App* AddPreload(CLI::App& app, PreloadSettings& settings) {
  CLI::App* preload = app.add_subcommand(
      "preload", "Fills an empty register with messages, so that a run meets a large one.");
  preload->add_option("--messages", settings.messages, "How many.")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  preload->add_option("--clients", settings.clients, "Of how many clients.")
      ->check(CLI::Range(1, 99'999))
      ->capture_default_str();
  preload->add_option("--days", settings.days, "Accepted over so many days, up to an hour ago.")
      ->check(CLI::Range(1, 365))
      ->capture_default_str();
  preload->add_flag("--delivered-only", settings.delivered_only,
                    "None that is dead or to be tried again.");
  preload->add_option("--master-key", settings.master_key_file, "The main server's master keys.")
      ->required();
  preload->add_option("--index-key", settings.index_key_file, "The main server's index key.")
      ->required();
  preload->add_option("--sample", settings.sample_file,
                      "New file for some of the messages, a JSON object a line.");
  AddConfig(*preload, settings.ctl_config);
  return preload;
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Load generator of Postern, and what checks its ledger.", "postern-load");
  app.require_subcommand(1);
  RunSettings run_settings;
  std::int64_t seconds = 60;
  std::int64_t warmup = 10;
  bool json = false;
  AddRun(app, run_settings, seconds, warmup, json);
  std::string ctl_config;
  std::string ledger;
  CLI::App* verify = app.add_subcommand(
      "verify", "Compares a ledger with what the main server and its database hold.");
  verify->add_option("--ledger", ledger, "Ledger of a run that has ended.")->required();
  bool any_time = false;
  verify->add_flag("--any-time", any_time,
                   "Compare with everything stored, not only with what was accepted since the run "
                   "began: for edges whose clock jumped.");
  AddConfig(*verify, ctl_config);
  PreloadSettings preload_settings;
  const CLI::App* const preload = AddPreload(app, preload_settings);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  db::InitializeDriver();
  if (verify->parsed()) return RunVerify(ledger, ctl_config, any_time);
  if (preload->parsed()) return RunPreload(preload_settings);
  run_settings.seconds = std::chrono::seconds(seconds);
  run_settings.warmup_seconds = std::chrono::seconds(warmup);
  return RunLoad(run_settings, json);
}

}  // namespace
}  // namespace postern::load

int main(int argc, char** argv) { return postern::load::Main(argc, argv); }

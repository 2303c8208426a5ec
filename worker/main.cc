#include <cstdio>
#include <string>

#include "services/common/app/command_line.h"
#include "services/common/app/process.h"
#include "services/common/app/reload.h"
#include "services/common/app/signals.h"
#include "services/common/log/log.h"
#include "services/common/rpc/log.h"
#include "worker/application.h"
#include "worker/settings.h"

namespace {

constexpr int kExitFailure = 1;

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "postern-worker: %s\n", std::string(status.message()).c_str());
  return kExitFailure;
}

int Run(const postern::worker::Settings& settings, const std::string& config_path) {
  postern::log::Settings log_settings;
  log_settings.program = "worker";
  log_settings.level = settings.log_level;
  log_settings.folder = settings.log_folder;
  if (const auto status = postern::log::Start(log_settings); !status.ok()) return Fail(status);
  postern::rpc::RedirectLog();
  auto application = postern::worker::Application::Create(settings);
  absl::Status status = application.status();
  if (status.ok()) status = (*application)->Start();
  if (status.ok()) {
    postern::app::WaitForStop(
        [&] { postern::app::Reload(config_path, &postern::worker::MakeSchema); });
    (*application)->Stop();
    application->reset();
  }
  postern::log::Stop();
  return status.ok() ? 0 : Fail(status);
}

}  // namespace

int main(int argc, char** argv) {
  postern::app::PrepareProcess();
  const auto parsed = postern::app::ParseCommandLine(
      argc, argv, "postern-worker",
      "Takes messages from the queue and delivers them to the main server.",
      "/etc/postern/worker.yaml");
  if (parsed.exit_code) return *parsed.exit_code;
  postern::worker::Settings settings;
  postern::config::Schema schema = postern::worker::MakeSchema(settings);
  const absl::Status loaded = schema.Load(parsed.command_line.config_path);
  if (!loaded.ok()) return Fail(loaded);
  if (parsed.command_line.print_config) std::fputs(schema.Print().c_str(), stdout);
  if (parsed.command_line.print_config || parsed.command_line.check_config) return 0;
  postern::app::EndProcess(Run(settings, parsed.command_line.config_path));
}

#include <iostream>
#include <string>

#include "edge_proxy/application.h"
#include "edge_proxy/settings.h"
#include "services/common/app/command_line.h"
#include "services/common/app/process.h"
#include "services/common/app/reload.h"
#include "services/common/app/signals.h"
#include "services/common/log/log.h"
#include "services/common/rpc/log.h"

namespace {

int Fail(const absl::Status& status) {
  std::cerr << "postern-edge: " << status.message() << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using postern::edge::Application;
  postern::app::PrepareProcess();
  bool allow_unsafe_queue = false;
  const auto parsed = postern::app::ParseCommandLine(
      argc, argv, "postern-edge", "Takes messages from clients over REST with mutual TLS.",
      "/etc/postern/edge.yaml",
      {{"--allow-unsafe-queue",
        "Accept messages although Redis's settings can lose them; never in production",
        &allow_unsafe_queue}});
  if (parsed.exit_code.has_value()) return *parsed.exit_code;

  postern::edge::Settings settings;
  auto schema = postern::edge::MakeSchema(settings);
  const absl::Status loaded = schema.Load(parsed.command_line.config_path);
  if (!loaded.ok()) return Fail(loaded);
  settings.allow_unsafe_queue |= allow_unsafe_queue;
  if (parsed.command_line.print_config) std::cout << schema.Print();
  if (parsed.command_line.print_config || parsed.command_line.check_config) return 0;

  const absl::Status undumpable = postern::app::DisableCoreDumps();
  if (!undumpable.ok()) return Fail(undumpable);

  postern::log::Settings log;
  log.program = "edge";
  log.level = settings.log_level;
  log.folder = settings.log_folder;
  const absl::Status logging = postern::log::Start(log);
  if (!logging.ok()) return Fail(logging);
  postern::rpc::RedirectLog();

  int exit_code = 0;
  {
    Application application(settings);
    const absl::Status started = application.Start();
    if (started.ok()) {
      postern::app::WaitForStop([&] {
        postern::app::Reload(
            parsed.command_line.config_path, &postern::edge::MakeSchema,
            [&](const postern::edge::Settings& fresh) { return application.Reload(fresh); });
      });
      application.Stop();
    } else {
      exit_code = Fail(started);
    }
  }
  postern::log::Stop();
  postern::app::EndProcess(exit_code);
}

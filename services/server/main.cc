#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>

#include <iostream>

#include "services/common/app/command_line.h"
#include "services/common/app/process.h"
#include "services/common/app/reload.h"
#include "services/common/app/signals.h"
#include "services/common/db/connection.h"
#include "services/common/log/log.h"
#include "services/common/rpc/log.h"
#include "services/server/application.h"
#include "services/server/settings.h"

namespace {

int Fail(const absl::Status& status) {
  std::cerr << "postern-server: " << status.message() << '\n';
  return 1;
}

int Run(const postern::server::Settings& settings, const std::string& config_path) {
  if (absl::Status s = postern::app::DisableCoreDumps(); !s.ok()) return Fail(s);
  postern::log::Settings log_settings;
  log_settings.program = "server";
  log_settings.level = settings.log_level;
  log_settings.folder = settings.log_folder;
  if (absl::Status s = postern::log::Start(log_settings); !s.ok()) return Fail(s);
  postern::rpc::RedirectLog();
  postern::db::InitializeDriver();
  // For operators only: see the method table.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::channelz::experimental::InitChannelzService();

  postern::server::Application application(settings);
  const absl::Status started = application.Start();
  if (started.ok()) {
    postern::app::WaitForStop(
        [&] { postern::app::Reload(config_path, &postern::server::MakeSchema); });
  }
  application.Stop();
  postern::log::Stop();
  return started.ok() ? 0 : Fail(started);
}

}  // namespace

int main(int argc, char** argv) {
  postern::app::PrepareProcess();
  const auto [exit_code, command_line] = postern::app::ParseCommandLine(
      argc, argv, "postern-server", "The main server of Postern: the register of messages.",
      "/etc/postern/server.yaml");
  if (exit_code) return *exit_code;
  postern::server::Settings settings;
  postern::config::Schema schema = postern::server::MakeSchema(settings);
  if (absl::Status s = schema.Load(command_line.config_path); !s.ok()) return Fail(s);
  if (command_line.print_config) std::cout << schema.Print();
  if (command_line.print_config || command_line.check_config) return 0;
  postern::app::EndProcess(Run(settings, command_line.config_path));
}

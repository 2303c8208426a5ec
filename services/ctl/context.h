#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/db/connection.h"
#include "services/ctl/config.h"
#include "services/ctl/limits.h"

namespace postern::ctl {

// What the options that every command has were set to.
struct Options {
  std::string config_path = "/etc/postern/posternctl.yaml";
  std::string output = "table";  // table or json.
  bool no_headers = false;
  double timeout_seconds = kDefaultTimeoutSeconds;

  bool json() const { return output == "json"; }
};

// What the commands use of the world. Tests put their own in place.
struct World {
  std::ostream& out;  // Data.
  std::ostream& err;  // Talk.
  bool colour = false;
  std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(const Config&)> open_channel;
};

// The real one: channels are mutual TLS to the main server. Colour follows the terminal, NO_COLOR
// and TERM.
World SystemWorld();

// What one run of posternctl shares: options, the configuration once read, the channel once opened.
class Context {
 public:
  explicit Context(World world) : world_(std::move(world)) {}

  Options& options() { return options_; }
  const Options& options() const { return options_; }
  std::ostream& out() { return world_.out; }
  std::ostream& err() { return world_.err; }
  enum class Colour { kRed, kYellow, kGreen };
  std::string Paint(std::string_view text, Colour colour) const;

  absl::StatusOr<const Config*> LoadConfiguration();
  // FailedPrecondition when the configuration does not say where the server is.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Channel();
  // A context for one call, with the deadline that --timeout sets.
  std::unique_ptr<grpc::ClientContext> Call() const;
  // A connection of the account that may change the schema. `io_timeout` limits each statement.
  absl::StatusOr<std::unique_ptr<db::Connection>> Database(std::chrono::seconds io_timeout);
  std::chrono::milliseconds timeout() const;

  // The sentence that tells what to do about the error that the command returns; replaces the
  // general one.
  void SetFix(std::string fix) { fix_ = std::move(fix); }
  // Ends with this number, whatever the command returns: for commands whose numbers mean something
  // else than ExitCode.
  void SetExitCode(int code) { exit_code_ = code; }
  std::optional<int> exit_code() const { return exit_code_; }
  // What to do about `status`, or nothing.
  std::string Fix(const absl::Status& status) const;

 private:
  World world_;
  Options options_;
  std::optional<Config> config_;
  std::shared_ptr<grpc::Channel> channel_;
  std::string fix_;
  std::optional<int> exit_code_;
};

}  // namespace postern::ctl

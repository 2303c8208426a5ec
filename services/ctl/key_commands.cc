#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_join.h"
#include "postern/v1/key_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/rpc/status.h"
#include "services/ctl/command.h"
#include "services/ctl/json.h"
#include "services/ctl/table.h"
#include "services/ctl/text.h"

namespace postern::ctl {
namespace {

// How often --wait looks.
constexpr std::chrono::milliseconds kWaitPause{200};

std::string StateText(v1::MasterKeyState state) {
  switch (state) {
    case v1::MASTER_KEY_STATE_KNOWN:
      return "known";
    case v1::MASTER_KEY_STATE_ACTIVE:
      return "active";
    case v1::MASTER_KEY_STATE_OLD:
      return "old";
    case v1::MASTER_KEY_STATE_RETIRED:
      return "retired";
    default:
      return "-";
  }
}

absl::StatusOr<v1::GetKeyStatusResponse> FetchStatus(Context& context, v1::KeyService::Stub& stub) {
  v1::GetKeyStatusResponse keys;
  const grpc::Status status = stub.GetKeyStatus(context.Call().get(), {}, &keys);
  if (!status.ok()) return rpc::FromGrpc(status);
  return keys;
}

void Print(Context& context, const v1::GetKeyStatusResponse& keys) {
  if (context.options().json()) {
    context.out() << ToJson(keys);
    return;
  }
  Table table({"VERSION", "STATE", "DATA_KEYS", "SERVERS", "ACTIVATED", "RETIRED"});
  for (const v1::MasterKeyVersion& key : keys.versions()) {
    table.Add({StrCat(key.version()), StateText(key.state()), StrCat(key.data_keys()),
               OrDash(absl::StrJoin(key.servers(), ",")), TimeText(key.activated_at_us()),
               TimeText(key.retired_at_us())});
  }
  table.Print(context.out(), !context.options().no_headers);
}

absl::Status Status(Context& context) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto keys = FetchStatus(context, *v1::KeyService::NewStub(*channel));
  if (!keys.ok()) return keys.status();
  Print(context, *keys);
  return absl::OkStatus();
}

bool AllRewrapped(const v1::GetKeyStatusResponse& keys) {
  for (const v1::MasterKeyVersion& key : keys.versions()) {
    if (key.state() != v1::MASTER_KEY_STATE_ACTIVE && key.data_keys() > 0) return false;
  }
  return true;
}

struct RotateOptions {
  std::uint32_t version = 0;
  bool wait = false;
};

absl::Status Rotate(Context& context, const RotateOptions& options) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::KeyService::NewStub(*channel);
  v1::RotateMasterKeyRequest request;
  request.set_version(options.version);
  v1::RotateMasterKeyResponse response;
  const grpc::Status status = stub->RotateMasterKey(context.Call().get(), request, &response);
  if (!status.ok()) return rpc::FromGrpc(status);
  const Deadline deadline = Deadline::After(context.timeout());
  auto keys = FetchStatus(context, *stub);
  while (options.wait && keys.ok() && !AllRewrapped(*keys)) {
    if (deadline.Expired()) {
      context.SetFix("The servers go on with it; see how far they are: posternctl key status");
      return absl::DeadlineExceededError("data keys are still being wrapped anew");
    }
    std::this_thread::sleep_for(kWaitPause);
    keys = FetchStatus(context, *stub);
  }
  if (!keys.ok()) return keys.status();
  Print(context, *keys);
  context.err() << "Version " << response.active_version() << " wraps now"
                << (AllRewrapped(*keys) ? ", and all data keys.\n"
                                        : "; the data keys follow in the background.\n");
  return absl::OkStatus();
}

absl::Status Retire(Context& context, std::uint32_t version) {
  const auto channel = context.Channel();
  if (!channel.ok()) return channel.status();
  const auto stub = v1::KeyService::NewStub(*channel);
  v1::RetireMasterKeyRequest request;
  request.set_version(version);
  v1::RetireMasterKeyResponse response;
  const grpc::Status status = stub->RetireMasterKey(context.Call().get(), request, &response);
  if (!status.ok()) {
    if (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION) {
      context.SetFix("See which version wraps how many data keys: posternctl key status");
    }
    return rpc::FromGrpc(status);
  }
  const auto keys = FetchStatus(context, *stub);
  if (!keys.ok()) return keys.status();
  Print(context, *keys);
  context.err() << "Version " << version << " is out of use. Keep it with the backups that are "
                << "older than now; its line may be removed from every server's file.\n";
  return absl::OkStatus();
}

}  // namespace

void AddKeyCommands(CommandTree& tree, Context& context) {
  CLI::App* const noun = tree.Noun("key", "Master keys, which wrap the keys of the messages.");
  tree.Verb(noun, "status", "Shows each version of the master key and what it wraps.",
            "read the state of the keys", [&context] { return Status(context); });

  auto rotated = std::make_shared<RotateOptions>();
  CLI::App* const rotate = tree.Verb(
      noun, "rotate", "Makes a newer version wrap. It has to be in every server's file first.",
      "rotate the master key", [&context, rotated] { return Rotate(context, *rotated); });
  rotate->add_option("--to", rotated->version, "The version (the highest in the server's file)")
      ->check(CLI::PositiveNumber)
      ->type_name("VERSION");
  rotate->add_flag("--wait", rotated->wait,
                   "Until every data key is wrapped by it, at most --timeout");

  auto retired = std::make_shared<std::uint32_t>(0);
  CLI::App* const retire =
      tree.Verb(noun, "retire", "Takes a version that a rotation left behind out of use for ever.",
                "retire the master key", [&context, retired] { return Retire(context, *retired); });
  retire->add_option("version", *retired, "The version")->required()->check(CLI::PositiveNumber);
}

}  // namespace postern::ctl

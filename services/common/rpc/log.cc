#include "services/common/rpc/log.h"

#include <grpc/support/log.h>

#include <string_view>

#include "services/common/log/log.h"

namespace postern::rpc {
namespace {

constexpr std::size_t kMessageMax = 300;

void Write(gpr_log_func_args* args) {
  static log::RateLimit limit;
  std::int64_t suppressed = 0;
  if (!limit.Allow(&suppressed)) return;
  const std::string_view message(args->message);
  log::Warn("grpc", "message", message.substr(0, kMessageMax), "suppressed", suppressed);
}

}  // namespace

void RedirectLog() {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  gpr_set_log_function(Write);
}

}  // namespace postern::rpc

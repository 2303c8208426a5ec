#include "services/common/rpc/metrics_interceptor.h"

#include <array>
#include <chrono>
#include <map>
#include <string_view>

#include "absl/strings/str_split.h"

namespace postern::rpc {
namespace {

using Clock = std::chrono::steady_clock;

// By number, spelt as go-grpc does.
constexpr std::size_t kUnknownCode = 2;
constexpr std::array<std::string_view, 17> kCodeNames = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

struct MethodMetrics {
  std::array<prometheus::Counter*, kCodeNames.size()> handled{};
  metrics::Histogram* seconds = nullptr;
};

class MetricsInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit MetricsInterceptor(const MethodMetrics& metrics) : metrics_(metrics) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_STATUS)) {
      Record(methods->GetSendStatus());
    }
    methods->Proceed();
  }

 private:
  void Record(const grpc::Status& status) {
    const auto code = static_cast<std::size_t>(status.error_code());
    metrics_.handled[code < kCodeNames.size() ? code : kUnknownCode]->Increment();
    metrics_.seconds->Observe(std::chrono::duration<double>(Clock::now() - start_).count());
  }

  const MethodMetrics& metrics_;
  const Clock::time_point start_ = Clock::now();
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  Factory(const std::vector<std::string>& methods, metrics::Registry& metrics) {
    for (const std::string& method : methods)
      methods_.emplace(method, MakeMetrics(method, metrics));
  }

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    const auto found = methods_.find(info->method());
    return found == methods_.end() ? nullptr : new MetricsInterceptor(found->second);
  }

 private:
  static MethodMetrics MakeMetrics(const std::string& method, metrics::Registry& metrics) {
    const std::vector<std::string> parts = absl::StrSplit(method, '/');
    metrics::Labels labels{{"grpc_service", parts.at(1)}, {"grpc_method", parts.at(2)}};
    MethodMetrics result;
    result.seconds = &metrics.MakeHistogram("grpc_server_handling_seconds",
                                            "Time from the arrival of a call to its answer.",
                                            metrics::RequestBuckets(), labels);
    for (std::size_t code = 0; code < kCodeNames.size(); ++code) {
      labels["grpc_code"] = std::string(kCodeNames[code]);
      result.handled[code] =
          &metrics.Counter("grpc_server_handled_total", "Calls answered, by status code.", labels);
    }
    return result;
  }

  std::map<std::string, MethodMetrics, std::less<>> methods_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeMetricsInterceptorFactory(const std::vector<std::string>& methods, metrics::Registry& metrics) {
  return std::make_unique<Factory>(methods, metrics);
}

}  // namespace postern::rpc

#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "postern/v1/statistics_service.grpc.pb.h"
#include "services/common/db/executor.h"
#include "services/common/rpc/user.h"
#include "services/statistics/figures.h"
#include "services/statistics/totals_cache.h"

namespace postern::statistics {

// gRPC adapter of the statistics. A user gets the figures of linked clients, everybody else of all.
// The overview of everything is worked out at most once a second, however many ask; the totals of
// all clients are kept for a while (TotalsCache). Thread-safe.
class StatisticsService final : public v1::StatisticsService::CallbackService {
 public:
  // Who calls, by certificate and token; an error ends the call.
  using GetCaller = std::function<absl::StatusOr<rpc::Caller>(const grpc::ServerContextBase&)>;
  // The queue as measured last; nothing when it was not.
  using GetQueue = std::function<std::optional<v1::QueueFigures>()>;

  StatisticsService(db::Executor& database, GetCaller get_caller, GetQueue get_queue)
      : database_(database), get_caller_(std::move(get_caller)), get_queue_(std::move(get_queue)) {}

  grpc::ServerUnaryReactor* GetOverview(grpc::CallbackServerContext* context,
                                        const v1::GetOverviewRequest* request,
                                        v1::GetOverviewResponse* response) override;
  grpc::ServerUnaryReactor* GetTimeSeries(grpc::CallbackServerContext* context,
                                          const v1::GetTimeSeriesRequest* request,
                                          v1::GetTimeSeriesResponse* response) override;
  grpc::ServerUnaryReactor* ListClientTotals(grpc::CallbackServerContext* context,
                                             const v1::ListClientTotalsRequest* request,
                                             v1::ListClientTotalsResponse* response) override;

 private:
  using Clock = std::chrono::steady_clock;
  using Work = std::function<absl::Status(db::Connection&)>;

  absl::StatusOr<Scope> ScopeOf(const grpc::CallbackServerContext& context,
                                const std::string& client_id) const;
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, Work work);
  // Reads the totals of all clients and keeps them.
  absl::Status RenewTotals(db::Connection& connection, const TotalsCache::Range& range,
                           std::int64_t until_s, v1::ListClientTotalsResponse& response);
  absl::StatusOr<v1::GetOverviewResponse> Overview(db::Connection& connection, const Scope& scope);

  db::Executor& database_;
  const GetCaller get_caller_;
  const GetQueue get_queue_;
  std::mutex
      mutex_;  // Held while the overview of everything is worked out: the others wait for it.
  v1::GetOverviewResponse overview_;
  Clock::time_point overview_good_until_;
  TotalsCache totals_;
};

}  // namespace postern::statistics

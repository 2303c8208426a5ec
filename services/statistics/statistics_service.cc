#include "services/statistics/statistics_service.h"

#include <algorithm>
#include <utility>

#include "services/common/base/time.h"
#include "services/common/rpc/deadline.h"
#include "services/common/rpc/status.h"
#include "services/statistics/limits.h"

namespace postern::statistics {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

// A time in seconds, and how it is cut.
struct Range {
  std::int64_t from_s = 0;
  std::int64_t until_s = 0;
  std::int64_t bucket_s = 0;
};

std::int64_t RoundDown(std::int64_t at_s, std::int64_t to) { return at_s - at_s % to; }

absl::StatusOr<Range> ReadRange(std::int64_t from_us, std::int64_t until_us) {
  if (from_us < 0) return absl::InvalidArgumentError("from_us: negative");
  if (until_us < 0) return absl::InvalidArgumentError("until_us: negative");
  Range range;
  range.until_s = (until_us == 0 ? NowMicros() : until_us) / kMicrosPerSecond + 1;
  range.from_s = from_us == 0 ? range.until_s - kDay : from_us / kMicrosPerSecond;
  if (range.from_s >= range.until_s) {
    return absl::InvalidArgumentError("from_us: not before until_us");
  }
  return range;
}

// The shortest bucket that does not make too many of the range.
std::int64_t DefaultBucket(const Range& range) {
  std::int64_t bucket_s = kMinute;
  for (const std::int64_t seconds : {kHour, kDay}) {
    if ((range.until_s - range.from_s) / bucket_s >= kBucketsDefaultMax) bucket_s = seconds;
  }
  return bucket_s;
}

absl::StatusOr<Range> ReadSeries(const v1::GetTimeSeriesRequest& request) {
  absl::StatusOr<Range> range = ReadRange(request.from_us(), request.until_us());
  if (!range.ok()) return range;
  range->bucket_s =
      request.bucket_seconds() == 0 ? DefaultBucket(*range) : request.bucket_seconds();
  if (range->bucket_s != kMinute && range->bucket_s != kHour && range->bucket_s != kDay) {
    return absl::InvalidArgumentError("bucket_seconds: 60, 3600 or 86400");
  }
  range->from_s = RoundDown(range->from_s, range->bucket_s);
  if ((range->until_s - range->from_s) / range->bucket_s >= kBucketsMax) {
    return absl::InvalidArgumentError("bucket_seconds: more than 3000 buckets");
  }
  return range;
}

absl::Status FillSeries(db::Connection& connection, const Scope& scope, const Range& range,
                        v1::GetTimeSeriesResponse& response) {
  const auto buckets =
      SelectBuckets(connection, scope, range.bucket_s, range.from_s, range.until_s);
  if (!buckets.ok()) return buckets.status();
  std::map<std::int64_t, Histogram> latencies;
  if (!scope) {
    auto selected = SelectLatencies(connection, range.bucket_s, range.from_s, range.until_s);
    if (!selected.ok()) return selected.status();
    latencies = *std::move(selected);
  }
  response.set_bucket_seconds(range.bucket_s);
  BucketCounts total;
  for (std::int64_t start = range.from_s; start < range.until_s; start += range.bucket_s) {
    const std::int64_t end = start + range.bucket_s;
    BucketCounts counts;
    for (auto at = buckets->lower_bound(start); at != buckets->end() && at->first < end; ++at) {
      counts.Add(at->second);
    }
    Histogram histogram;
    for (auto at = latencies.lower_bound(start); at != latencies.end() && at->first < end; ++at) {
      for (const auto& [step, deliveries] : at->second) histogram[step] += deliveries;
    }
    total.Add(counts);
    v1::TimeBucket& bucket = *response.add_buckets();
    bucket.set_start_us(start * kMicrosPerSecond);
    *bucket.mutable_counts() = ToProto(counts);
    if (!scope) *bucket.mutable_latency() = Percentiles(histogram);
  }
  *response.mutable_total() = ToProto(total);
  return absl::OkStatus();
}

absl::Status ReadTotals(db::Connection& connection, const Scope& scope,
                        const TotalsCache::Range& range, std::int64_t until_s,
                        v1::ListClientTotalsResponse& response) {
  auto totals = SelectTotals(connection, scope, range.from_s, until_s, range.limit);
  if (!totals.ok()) return totals.status();
  for (auto& [client_id, counts] : *totals) {
    v1::ClientTotals& client = *response.add_clients();
    client.set_client_id(std::move(client_id));
    *client.mutable_counts() = ToProto(counts);
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(status));
  return reactor;
}

}  // namespace

absl::StatusOr<Scope> StatisticsService::ScopeOf(const grpc::CallbackServerContext& context,
                                                 const std::string& client_id) const {
  const absl::StatusOr<rpc::Caller> caller = get_caller_(context);
  if (!caller.ok()) return caller.status();
  const bool limited = caller->user && !caller->user->admin;
  if (!client_id.empty()) {
    if (limited && !caller->user->MaySee(client_id)) {
      return absl::PermissionDeniedError("client_id: not one of yours");
    }
    return Scope(std::vector<std::string>{client_id});
  }
  if (!limited) return Scope();
  return Scope(
      std::vector<std::string>(caller->user->clients->begin(), caller->user->clients->end()));
}

grpc::ServerUnaryReactor* StatisticsService::Answer(grpc::CallbackServerContext* context,
                                                    Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto task = [reactor, work = std::move(work)](absl::StatusOr<db::Connection*> connection) {
    reactor->Finish(rpc::ToGrpc(connection.ok() ? work(**connection) : connection.status()));
  };
  if (!database_.TrySubmit(rpc::CallDeadline(*context, kCallTimeout), std::move(task))) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too much work in hand; try again"});
  }
  return reactor;
}

absl::StatusOr<v1::GetOverviewResponse> StatisticsService::Overview(db::Connection& connection,
                                                                    const Scope& scope) {
  if (scope) return ReadOverview(connection, scope, NowMicros());
  const std::lock_guard lock(mutex_);
  const Clock::time_point begun = Clock::now();
  if (begun < overview_good_until_) return overview_;
  auto overview = ReadOverview(connection, scope, NowMicros());
  if (!overview.ok()) return overview;
  if (const auto queue = get_queue_()) *overview->mutable_queue() = *queue;
  const Clock::time_point done = Clock::now();
  overview_ = *overview;
  overview_good_until_ =
      done + std::max<Clock::duration>(kOverviewAge, (done - begun) * kOverviewPausePerWork);
  return overview;
}

grpc::ServerUnaryReactor* StatisticsService::GetOverview(grpc::CallbackServerContext* context,
                                                         const v1::GetOverviewRequest* request,
                                                         v1::GetOverviewResponse* response) {
  auto scope = ScopeOf(*context, request->client_id());
  if (!scope.ok()) return Refuse(context, scope.status());
  return Answer(context, [this, response, scope = *std::move(scope)](db::Connection& connection) {
    auto overview = Overview(connection, scope);
    if (overview.ok()) *response = *std::move(overview);
    return overview.status();
  });
}

grpc::ServerUnaryReactor* StatisticsService::GetTimeSeries(grpc::CallbackServerContext* context,
                                                           const v1::GetTimeSeriesRequest* request,
                                                           v1::GetTimeSeriesResponse* response) {
  auto scope = ScopeOf(*context, request->client_id());
  if (!scope.ok()) return Refuse(context, scope.status());
  const absl::StatusOr<Range> range = ReadSeries(*request);
  if (!range.ok()) return Refuse(context, range.status());
  return Answer(context,
                [response, range = *range, scope = *std::move(scope)](db::Connection& connection) {
                  return FillSeries(connection, scope, range, *response);
                });
}

grpc::ServerUnaryReactor* StatisticsService::ListClientTotals(
    grpc::CallbackServerContext* context, const v1::ListClientTotalsRequest* request,
    v1::ListClientTotalsResponse* response) {
  auto scope = ScopeOf(*context, "");
  if (!scope.ok()) return Refuse(context, scope.status());
  const absl::StatusOr<Range> range = ReadRange(request->from_us(), request->until_us());
  if (!range.ok()) return Refuse(context, range.status());
  if (request->limit() < 0) return Refuse(context, absl::InvalidArgumentError("limit: negative"));
  const std::int64_t limit =
      request->limit() == 0 ? kTotalsDefault : std::min(request->limit(), kTotalsMax);
  // As the time series of the same range begins, so that they agree; minutes are not kept as long.
  const std::int64_t from_s =
      RoundDown(range->from_s, std::max<std::int64_t>(DefaultBucket(*range), kHour));
  const TotalsCache::Range asked{.from_s = from_s, .limit = limit};
  const std::int64_t until_s = range->until_s;
  // What is asked for with an end of its own is asked for once.
  if (*scope || request->until_us() != 0) {
    return Answer(context, [=, scope = *std::move(scope)](db::Connection& connection) {
      return ReadTotals(connection, scope, asked, until_s, *response);
    });
  }
  const TotalsCache::Found found = totals_.Find(asked, Clock::now());
  if (found.totals == nullptr) {
    return Answer(context, [=, this](db::Connection& connection) {
      return RenewTotals(connection, asked, until_s, *response);
    });
  }
  *response = *found.totals;
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  if (found.renew) {
    // Work that is not taken is the next caller's.
    (void)database_.TrySubmit(Deadline::After(kCallTimeout), [=, this](auto connection) {
      v1::ListClientTotalsResponse renewed;
      if (connection.ok()) (void)RenewTotals(**connection, asked, until_s, renewed);
    });
  }
  return reactor;
}

absl::Status StatisticsService::RenewTotals(db::Connection& connection,
                                            const TotalsCache::Range& range, std::int64_t until_s,
                                            v1::ListClientTotalsResponse& response) {
  const absl::Status status = ReadTotals(connection, Scope(), range, until_s, response);
  if (status.ok()) {
    totals_.Keep(range, std::make_shared<v1::ListClientTotalsResponse>(response), Clock::now());
  }
  return status;
}

}  // namespace postern::statistics

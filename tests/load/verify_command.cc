#include "tests/load/verify_command.h"

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_format.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "services/common/base/strings.h"
#include "services/common/rpc/status.h"
#include "tests/load/message_id_bound.h"
#include "tests/load/register_settings.h"

namespace postern::load {
namespace {

constexpr int kPageSize = 1000;
constexpr int kTriesMax = 10;
constexpr auto kCallTimeout = std::chrono::seconds(60);

absl::StatusOr<StoredMessage> ToStored(const v1::Message& message) {
  StoredMessage stored;
  const auto id = ParseMessageId(message.id());
  if (!id) return absl::DataLossError("the main server listed a message without a UUID");
  stored.id = *id;
  stored.client_id = message.client_id();
  stored.body = message.message_body();
  stored.readable = message.decryption_error().empty();
  if (message.state() == v1::MESSAGE_STATE_DELIVERED) {
    stored.state = StoredMessage::State::kDelivered;
  } else if (message.state() == v1::MESSAGE_STATE_DEAD) {
    stored.state = StoredMessage::State::kDead;
  }
  return stored;
}

absl::StatusOr<v1::ListMessagesResponse> ListPage(v1::MessageService::Stub& stub,
                                                  const v1::ListMessagesRequest& request) {
  grpc::Status status;
  for (int i = 0; i < kTriesMax; ++i) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    v1::ListMessagesResponse response;
    status = stub.ListMessages(&context, request, &response);
    if (status.ok()) return response;
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE &&
        status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) {
      break;
    }
  }
  return rpc::FromGrpc(status);
}

// Gives every message accepted since then to `comparison`; returns how many.
absl::StatusOr<std::int64_t> ListAll(const rpc::ChannelSettings& settings,
                                     std::int64_t accepted_from_us, Comparison& comparison) {
  auto channel = rpc::Channel(settings);
  if (!channel.ok()) return channel.status();
  const auto stub = v1::MessageService::NewStub(*channel);
  v1::ListMessagesRequest request;
  request.set_page_size(kPageSize);
  request.set_view(v1::MESSAGE_VIEW_FULL);
  request.set_accepted_from_us(accepted_from_us);
  std::int64_t listed = 0;
  do {
    const auto page = ListPage(*stub, request);
    if (!page.ok()) return page.status();
    for (const v1::Message& message : page->messages()) {
      auto stored = ToStored(message);
      if (!stored.ok()) return stored.status();
      comparison.AddStored(*stored);
      ++listed;
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return listed;
}

absl::Status CountInto(db::Connection& connection, const std::string& sql,
                       const std::vector<db::Value>& values, std::int64_t& count) {
  return connection.Query(sql, values, [&count](const db::Row& row) {
    count = row.Int(0);
    return absl::OkStatus();
  });
}

absl::StatusOr<StoredCounts> CountStored(const db::Settings& settings, std::int64_t from_us) {
  auto connection = db::Connection::Open(settings);
  if (!connection.ok()) return connection.status();
  StoredCounts counts;
  const std::string bound = FirstIdAt(from_us / 1000);
  const std::vector<db::Value> since = {std::string_view(bound)};
  absl::Status status = CountInto(**connection, "SELECT COUNT(*) FROM messages WHERE id >= ?",
                                  since, counts.messages);
  status.Update(
      CountInto(**connection, "SELECT COUNT(*) FROM pending WHERE id >= ?", since, counts.pending));
  status.Update(CountInto(**connection,
                          "SELECT COUNT(*) FROM pending JOIN messages USING (id) WHERE id >= ?",
                          since, counts.in_both));
  if (!status.ok()) return status;
  return counts;
}

}  // namespace

absl::StatusOr<Verification> Verify(const std::string& ledger, const std::string& ctl_config,
                                    bool any_time) {
  auto settings = LoadRegisterSettings(ctl_config);
  if (!settings.ok()) return settings.status();
  Comparison comparison;
  const auto started_at_us = ReadLedger(ledger, comparison.Visitor());
  if (!started_at_us.ok()) return started_at_us.status();
  // Ids count milliseconds.
  const std::int64_t from_us = any_time ? 0 : *started_at_us / 1000 * 1000;

  Verification verification;
  const auto listed = ListAll(settings->channel, from_us, comparison);
  if (!listed.ok()) return listed.status();
  verification.listed = *listed;
  const auto stored = CountStored(settings->database, from_us);
  if (!stored.ok()) return stored.status();
  verification.stored = *stored;
  verification.verdict = comparison.Finish();
  return verification;
}

std::string VerificationJson(const Verification& verification) {
  const Verdict& verdict = verification.verdict;
  nlohmann::ordered_json json;
  json["attempted"] = verdict.attempted;
  json["acknowledged"] = verdict.acknowledged;
  json["refused"] = verdict.refused;
  json["indeterminate"] = verdict.indeterminate;
  json["recovered"] = verdict.recovered;
  json["delivered"] = verdict.delivered;
  json["pending"] = verdict.pending;
  json["dead"] = verdict.dead;
  json["lost"] = verdict.lost;
  json["duplicated"] = verdict.duplicated;
  json["phantom"] = verdict.phantom;
  json["corrupt"] = verdict.corrupt;
  json["misattributed"] = verdict.misattributed;
  json["unlisted"] = verification.Unlisted();
  json["in_both_tables"] = verification.stored.in_both;
  return json.dump();
}

int RunVerify(const std::string& ledger, const std::string& ctl_config, bool any_time) {
  const auto verification = Verify(ledger, ctl_config, any_time);
  if (!verification.ok()) {
    absl::FPrintF(stderr, "postern-load: %s\n", verification.status().ToString());
    return 1;
  }
  absl::PrintF("%s\n", VerificationJson(*verification));
  return verification->Faulty() || verification->verdict.acknowledged == 0 ? 1 : 0;
}

}  // namespace postern::load

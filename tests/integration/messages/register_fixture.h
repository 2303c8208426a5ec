#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "services/common/base/strings.h"
#include "services/common/base/time.h"
#include "services/common/base/uuid.h"
#include "services/common/db/connection.h"
#include "services/common/metrics/metrics.h"
#include "services/messages/envelope_reader.h"
#include "services/messages/message_writer.h"
#include "tests/support/mariadb_server.h"
#include "tests/support/test_certificates.h"

namespace postern::messages {

// Stands for the keys' domain. A body that begins with `bad` was altered, one that begins with
// `nokey` has no key, that of one that begins with `away` cannot be looked up now. "Decrypts" by
// cutting off what Seal put around.
class FakeReader final : public EnvelopeReader {
 public:
  absl::StatusOr<NumberFacts> ReadNumber(const v1::Envelope& envelope) override;
  absl::StatusOr<OpenedMessage> Open(const StoredCiphertext& ciphertext) override;

  static std::string Seal(const std::string& text);
};

// The one MariaDB of the test program, and its certificates.
test::MariaDbServer& Server();
test::TestCertificates& Certificates();

// A test with a migrated schema of its own.
class RegisterTest : public ::testing::Test {
 protected:
  void SetUp() override;

  MessageWriter::Settings WriterSettings() const;
  std::unique_ptr<MessageWriter> MakeWriter(MessageWriter::Settings settings);
  std::unique_ptr<MessageWriter> MakeWriter() { return MakeWriter(WriterSettings()); }

  v1::Envelope MakeEnvelope(const std::string& client_id = "acme",
                            const std::string& body = "hello");
  static v1::QueuePosition PositionOf(const v1::Envelope& envelope);
  static Uuid IdOf(const v1::Envelope& envelope);

  // What one batch came to.
  struct Answer {
    absl::Status status;
    std::vector<Outcome> outcomes;
  };
  using Answers = std::future<Answer>;
  // Each gives the batch to the writer; the request lives as long as the test.
  Answers Register(MessageWriter& writer, const std::vector<v1::Envelope>& envelopes);
  Answers Deliver(MessageWriter& writer, const std::vector<v1::Envelope>& envelopes,
                  const std::string& dead_reason = "");
  Answers Fail(MessageWriter& writer, const v1::Envelope& envelope, std::int64_t attempted_at_us,
               const std::string& reason = "DEADLINE_EXCEEDED");

  std::int64_t Number(const std::string& sql);
  std::int64_t PendingRows() { return Number("SELECT COUNT(*) FROM pending"); }
  std::int64_t DeliveredRows() { return Number("SELECT COUNT(*) FROM messages"); }
  std::int64_t CountedDelivered() {
    return Number("SELECT COALESCE(SUM(delivered), 0) FROM ledger_delivered");
  }
  // The value of a metric without labels, -1 when there is none.
  double Metric(const std::string& series) const;

  std::string schema_;
  std::unique_ptr<db::Connection> connection_;
  metrics::Registry metrics_{"test"};
  UuidV7Generator ids_;
  std::list<v1::RegisterMessagesRequest> registrations_;
  std::list<v1::DeliverMessagesRequest> deliveries_;
  std::list<v1::ReportAttemptsRequest> attempts_;
};

}  // namespace postern::messages

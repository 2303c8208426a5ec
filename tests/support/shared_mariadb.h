#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "services/common/db/connection.h"
#include "tests/support/mariadb_server.h"
#include "tests/support/test_certificates.h"

// A MariaDB for all tests of a program: to include this is to have it started before the first of
// them.
namespace postern::test {

class SharedMariaDb final : public ::testing::Environment {
 public:
  static MariaDbServer& Server() { return *current_->server_; }
  // Whose leaf the server shows.
  static TestCertificates& Certificates() { return *current_->certificates_; }

  void SetUp() override {
    current_ = this;
    db::InitializeDriver();
    certificates_ = std::make_unique<TestCertificates>();
    auto started = MariaDbServer::Start(certificates_->Leaf("server", "mariadb"));
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }
  void TearDown() override {
    server_.reset();
    certificates_.reset();
  }

 private:
  static inline SharedMariaDb* current_ = nullptr;
  std::unique_ptr<TestCertificates> certificates_;
  std::unique_ptr<MariaDbServer> server_;
};
inline const auto* const kSharedMariaDb = ::testing::AddGlobalTestEnvironment(new SharedMariaDb);

}  // namespace postern::test

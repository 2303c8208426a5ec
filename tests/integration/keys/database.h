#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "services/common/db/connection.h"
#include "tests/support/mariadb_server.h"
#include "tests/support/test_certificates.h"

namespace postern::keys {

// The one MariaDB of the test program.
inline test::MariaDbServer* mariadb = nullptr;

class Database : public ::testing::Environment {
 public:
  void SetUp() override {
    db::InitializeDriver();
    certificates_ = std::make_unique<test::TestCertificates>();
    auto started = test::MariaDbServer::Start(certificates_->Leaf("server", "db"));
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    mariadb = server_.get();
  }
  void TearDown() override {
    server_.reset();
    certificates_.reset();
  }

 private:
  std::unique_ptr<test::TestCertificates> certificates_;
  std::unique_ptr<test::MariaDbServer> server_;
};
inline const auto* const kDatabase = ::testing::AddGlobalTestEnvironment(new Database);

}  // namespace postern::keys

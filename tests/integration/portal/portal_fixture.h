#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "portal/application.h"
#include "tests/integration/portal/fake_server.h"
#include "tests/support/test_certificates.h"
#include "tests/support/tls_client.h"

namespace postern::portal::test {

// What a browser does that a test needs: keeps cookies, and sends forms with the token of the page
// that it saw last. A connection for each request.
class Browser {
 public:
  explicit Browser(std::uint16_t port) : port_(port) {}

  using Answer = postern::test::RawAnswer;
  using Form = std::map<std::string, std::string>;

  Answer Get(const std::string& target);
  // With the token of the last page and our origin, unless `fields` says otherwise.
  Answer Post(const std::string& target, Form form);
  Answer Send(const std::string& method, const std::string& target, const std::string& body,
              const std::string& fields);
  // Signs in; the answer to the form.
  Answer SignIn(const std::string& email);
  std::string Origin() const { return "https://localhost:" + std::to_string(port_); }
  std::map<std::string, std::string>& cookies() { return cookies_; }
  const std::string& token() const { return token_; }
  std::string CookieField() const;

 private:
  void Keep(const Answer& answer);

  const std::uint16_t port_;
  std::map<std::string, std::string> cookies_;
  std::string token_;
};

// A whole portal in the test's process with a fake main server.
class PortalFixture : public testing::Test {
 protected:
  PortalFixture();
  ~PortalFixture() override;

  void StartPortal();
  Browser NewBrowser() const { return Browser(portal_->port()); }
  // Whether a page had a variable that its view did not.
  double MissingVariables() const;

  static postern::test::TestCertificates& Authority();

  std::string folder_;
  Settings settings_;
  std::unique_ptr<FakeServer> server_;
  std::unique_ptr<Application> portal_;
};

// The value of a hidden field, or empty.
std::string HiddenField(const std::string& html, const std::string& name);

}  // namespace postern::portal::test

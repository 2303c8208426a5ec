#include "tests/integration/portal/portal_fixture.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "services/common/base/files.h"
#include "services/common/base/strings.h"

namespace postern::portal::test {
namespace {

using postern::test::TestCertificates;
using postern::test::TlsClient;

}  // namespace

std::string HiddenField(const std::string& html, const std::string& name) {
  const std::string mark = StrCat("name=\"", name, "\" value=\"");
  const std::size_t at = html.find(mark);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + mark.size();
  return html.substr(begin, html.find('"', begin) - begin);
}

Browser::Answer Browser::Get(const std::string& target) { return Send("GET", target, "", ""); }

Browser::Answer Browser::Post(const std::string& target, Form form) {
  if (!form.contains("csrf")) form["csrf"] = token_;
  std::string body;
  for (const auto& [name, value] : form) {
    StrAppend(&body, body.empty() ? "" : "&", FormEncode(name), "=", FormEncode(value));
  }
  return Send(
      "POST", target, body,
      StrCat("Content-Type: application/x-www-form-urlencoded\r\nOrigin: ", Origin(), "\r\n"));
}

Browser::Answer Browser::Send(const std::string& method, const std::string& target,
                              const std::string& body, const std::string& fields) {
  TlsClient::Options options;
  options.port = port_;
  TlsClient client(options);
  std::string text = StrCat(method, " ", target, " HTTP/1.1\r\nHost: localhost:", port_, "\r\n",
                            "User-Agent: a test\r\n", CookieField(), fields);
  if (method == "POST") StrAppend(&text, "Content-Length: ", body.size(), "\r\n");
  StrAppend(&text, "\r\n", body);
  const std::optional<Answer> answer = client.Ask(text);
  if (!answer.has_value()) throw std::runtime_error("no answer to " + target);
  Keep(*answer);
  return *answer;
}

std::string Browser::CookieField() const {
  std::string text;
  for (const auto& [name, value] : cookies_) {
    StrAppend(&text, text.empty() ? "Cookie: " : "; ", name, "=", value);
  }
  return text.empty() ? text : text + "\r\n";
}

void Browser::Keep(const Answer& answer) {
  const auto set = answer.fields.find("set-cookie");
  if (set != answer.fields.end()) {
    const std::string pair = set->second.substr(0, set->second.find(';'));
    const std::size_t equals = pair.find('=');
    if (set->second.find("Max-Age=0") != std::string::npos) {
      cookies_.erase(pair.substr(0, equals));
    } else {
      cookies_[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
  }
  const std::string token = HiddenField(answer.body, "csrf");
  if (!token.empty()) token_ = token;
}

Browser::Answer Browser::SignIn(const std::string& email) {
  Get("/login");
  Form form;
  form["email"] = email;
  form["password"] = FakeServer::kPassword;
  Answer answer = Post("/login", form);
  const auto location = answer.fields.find("location");
  if (location != answer.fields.end()) Get(location->second);
  return answer;
}

TestCertificates& PortalFixture::Authority() {
  static TestCertificates authority;
  return authority;
}

PortalFixture::PortalFixture() {
  std::string pattern = testing::TempDir() + "portal_XXXXXX";
  folder_ = mkdtemp(pattern.data());
  const std::string key_file = folder_ + "/portal.key";
  if (!WriteFileAtomically(key_file, std::string(64, 'a')).ok()) {
    throw std::runtime_error("cannot write " + key_file);
  }
  server_ = std::make_unique<FakeServer>(Authority().Leaf("server", "server-1"));
  server_->Start();
  settings_.trust_domain = TestCertificates::kTrustDomain;
  settings_.ops_port = 0;
  settings_.listen_address = "127.0.0.1";
  settings_.listen_port = 0;
  settings_.listen = Authority().Leaf("portal", "portal-1");
  settings_.mesh = Authority().Leaf("portal", "portal-1");
  settings_.trust.managed = false;
  settings_.server_target = server_->target();
  settings_.session_key_file = key_file;
  settings_.templates_folder = POSTERN_PORTAL_SHARE "/templates";
  settings_.assets_folder = POSTERN_PORTAL_SHARE "/assets";
  settings_.drain_timeout = std::chrono::seconds(2);
}

PortalFixture::~PortalFixture() {
  portal_.reset();
  std::filesystem::remove_all(folder_);
}

void PortalFixture::StartPortal() {
  portal_ = std::make_unique<Application>(settings_);
  const absl::Status started = portal_->Start();
  ASSERT_TRUE(started.ok()) << started;
}

double PortalFixture::MissingVariables() const {
  const std::string page = portal_->metrics().Serialize();
  const std::string mark = "\npostern_portal_template_faults_total ";
  const std::size_t at = page.find(mark);
  return at == std::string::npos ? -1 : std::stod(page.substr(at + mark.size()));
}

}  // namespace postern::portal::test

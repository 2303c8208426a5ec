#include "edge_proxy/health.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/common/base/strings.h"

namespace postern::edge {
namespace {

using State = http::Check::State;

http::Check MakeCheck(std::string name, State state, std::string detail) {
  http::Check check;
  check.name = std::move(name);
  check.state = state;
  check.detail = std::move(detail);
  return check;
}

}  // namespace

http::Check Health::Queue() const {
  const bool connected =
      std::all_of(parts_.enqueuers.begin(), parts_.enqueuers.end(),
                  [](const Enqueuer* enqueuer) { return enqueuer->connected(); });
  if (!connected) return MakeCheck("queue", State::kFail, "no connection to Redis");
  const std::string faults = parts_.safety->faults();
  if (!parts_.safety->safe()) return MakeCheck("queue", State::kFail, faults);
  if (!faults.empty()) return MakeCheck("queue", State::kWarn, faults);
  return MakeCheck("queue", State::kPass, "connected");
}

http::Check Health::Server() const {
  if (parts_.watch->connected()) return MakeCheck("server", State::kPass, "connected");
  return MakeCheck("server", State::kWarn,
                   "no connection to the main server; messages are accepted all the same");
}

http::Check Health::Directory() const {
  const auto snapshot = parts_.directory->Current();
  if (snapshot->revision() == 0) {
    return MakeCheck("directory", State::kFail, "no client directory has been received yet");
  }
  return MakeCheck("directory", State::kPass,
                   StrCat(snapshot->clients(), " clients, revision ", snapshot->revision()));
}

http::Check Health::Key() const {
  if (parts_.keys->ready()) return MakeCheck("data_key", State::kPass, "in use");
  return MakeCheck("data_key", State::kFail, "no data key has been received yet");
}

http::Check Health::Registration() const {
  if (!parts_.registrar->failing()) return MakeCheck("registration", State::kPass, "working");
  return MakeCheck("registration", State::kWarn, "registrations wait for the main server");
}

std::vector<http::Check> Health::operator()() const {
  std::vector<http::Check> checks{Queue(), Server(), Directory(), Key(), Registration()};
  for (app::CertificateWatch* const certificate : parts_.certificates) {
    checks.push_back(certificate->Check());
  }
  for (http::Check& check : parts_.member->Checks()) checks.push_back(std::move(check));
  return checks;
}

}  // namespace postern::edge

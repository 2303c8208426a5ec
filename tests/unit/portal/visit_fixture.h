#pragma once

#include <memory>
#include <string>
#include <utility>

#include "portal/pages/visit.h"

namespace postern::portal {

// A visit without a main server: for what a page does before and after its calls.
class VisitFixture {
 public:
  VisitFixture() {
    keys_.emplace_back(std::string(32, 'k'));
    sealer_ = std::make_unique<SessionSealer>(keys_);
    csrf_ = std::make_unique<CsrfTokens>(keys_);
  }

  std::unique_ptr<Visit> Get(const std::string& path, const std::string& query,
                             const std::string& cookie = "") {
    http::Request request;
    request.method = "GET";
    request.path = path;
    request.query = query;
    request.fields.emplace_back("host", "portal.example");
    if (!cookie.empty()) request.fields.emplace_back("cookie", cookie);
    PageParts parts;
    parts.zones = &zones_;
    parts.sealer = sealer_.get();
    parts.csrf = csrf_.get();
    auto visit = std::make_unique<Visit>(parts, std::move(request), "id");
    visit->query = Parameters::Parse(query).value();
    return visit;
  }
  SessionSealer& sealer() { return *sealer_; }
  CsrfTokens& csrf() { return *csrf_; }

 private:
  std::vector<crypto::Secret> keys_;
  const Zones zones_;
  std::unique_ptr<SessionSealer> sealer_;
  std::unique_ptr<CsrfTokens> csrf_;
};

}  // namespace postern::portal

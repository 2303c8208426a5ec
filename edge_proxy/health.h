#pragma once

#include <memory>
#include <vector>

#include "edge_proxy/client_directory.h"
#include "edge_proxy/data_keys.h"
#include "edge_proxy/directory_watch.h"
#include "edge_proxy/enqueuer.h"
#include "edge_proxy/registrar.h"
#include "services/common/app/certificate_watch.h"
#include "services/common/http/ops_server.h"
#include "services/common/redis/queue_safety.h"
#include "services/common/trust/member.h"

namespace postern::edge {

// The parts whose state decides whether the edge is well. All must outlive the Health.
struct HealthParts {
  std::vector<const Enqueuer*> enqueuers;
  const redis::QueueSafety* safety = nullptr;
  const DirectoryWatch* watch = nullptr;
  const ClientDirectory* directory = nullptr;
  const DataKeys* keys = nullptr;
  const Registrar* registrar = nullptr;
  std::vector<app::CertificateWatch*> certificates;
  const trust::Member* member = nullptr;
};

// Each component's state: `queue`, `server`, `directory`, `data_key`, `registration`, certificates,
// `trust`, renewals.
// A component that fails makes the edge not ready. A main server that is away is a warning only:
// the edge goes on accepting. Thread-safe, never blocks.
class Health {
 public:
  explicit Health(HealthParts parts) : parts_(std::move(parts)) {}
  std::vector<http::Check> operator()() const;

 private:
  http::Check Queue() const;
  http::Check Server() const;
  http::Check Directory() const;
  http::Check Key() const;
  http::Check Registration() const;

  const HealthParts parts_;
};

}  // namespace postern::edge

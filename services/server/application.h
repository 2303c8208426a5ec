#pragma once

#include <memory>

#include "absl/status/status.h"
#include "services/server/settings.h"

namespace postern::server {

// The whole main server: makes its parts, joins them, starts and stops them in order. Start once,
// Stop once, from one thread.
class Application {
 public:
  explicit Application(Settings settings);
  ~Application();

  // Returns once the server serves. An error says what to do about it; call Stop all the same.
  absl::Status Start();
  // Answers what is in hand, within `drain_timeout_ms`, then stops everything.
  void Stop();
  // The ports that were taken.
  std::uint16_t rpc_port() const;
  std::uint16_t ops_port() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace postern::server

#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "services/common/http/large_bodies.h"
#include "services/common/http/peer_registry.h"
#include "services/common/http/response_format.h"
#include "services/common/http/server.h"
#include "services/common/http/transport.h"

namespace postern::http {

class Session;

// How many connections and accept loops of a server are left. Thread-safe.
class OpenCount {
 public:
  void AddConnection();
  void RemoveConnection();
  void AddAcceptor();
  void RemoveAcceptor();
  std::size_t connections() const;
  // True when nothing is left within `limit`.
  bool AwaitNone(std::chrono::milliseconds limit);

 private:
  mutable std::mutex mutex_;
  std::condition_variable none_;
  std::size_t connections_ = 0;
  std::size_t acceptors_ = 0;
};

// The series of one listener, made at start so that they are there with 0 before the first event.
// Thread-safe.
class ServerMetrics {
 public:
  ServerMetrics(metrics::Registry& registry, const std::string& listener, bool tls);

  prometheus::Gauge& connections;
  prometheus::Counter& accept_pauses_limit;
  prometheus::Counter& accept_pauses_error;
  prometheus::Counter& cut_strangers;
  prometheus::Counter& cut_peers;
  // `reason` as in Refusal.
  void CountRefused(std::string_view reason);
  // Only with TLS. `version` as OpenSSL names it; empty for a failed handshake.
  void CountHandshake(std::string_view version, double seconds);
  void CountCertificateRejected(std::string_view reason);

 private:
  static void Count(const std::map<std::string, prometheus::Counter*, std::less<>>& counters,
                    std::string_view label);
  std::map<std::string, prometheus::Counter*, std::less<>> refused_;
  std::map<std::string, prometheus::Counter*, std::less<>> handshakes_;
  std::map<std::string, prometheus::Counter*, std::less<>> certificates_rejected_;
  metrics::Histogram* handshake_seconds_ = nullptr;
};

// What all lanes of a server share; read-only or thread-safe.
struct Shared {
  Shared(std::string listener, std::shared_ptr<boost::asio::ssl::context> context, Limits limit,
         PeerCheck check, metrics::Registry& registry)
      : name(std::move(listener)),
        wants_certificates(context != nullptr && WantsCertificates(*context)),
        limits(limit),
        peer_check(std::move(check)),
        peers({limit.connections_per_peer, limit.requests, limit.requests_per_peer}, name,
              registry),
        metrics(registry, name, context != nullptr),
        tls_(std::move(context)) {}

  // What new connections use; null: plain.
  std::shared_ptr<boost::asio::ssl::context> tls() const {
    const std::lock_guard lock(mutex_);
    return tls_;
  }
  void UseTls(std::shared_ptr<boost::asio::ssl::context> context) {
    const std::lock_guard lock(mutex_);
    tls_ = std::move(context);
  }

  const std::string name;
  // Whether the context asks for a client's certificate.
  const bool wants_certificates;
  const Limits limits;
  const PeerCheck peer_check;
  PeerRegistry peers;
  ServerMetrics metrics;
  OpenCount open;

 private:
  static bool WantsCertificates(boost::asio::ssl::context& context);

  mutable std::mutex mutex_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
};

// One lane's half of the server: its listener, its connections and their deadlines. Everything runs
// on the lane's thread, except where it says otherwise. The coroutines of the lane hold it by
// shared_ptr.
class LaneState : public std::enable_shared_from_this<LaneState> {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kSweepInterval{250};
  using Executor = boost::asio::io_context::executor_type;
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor>;

  LaneState(std::shared_ptr<Shared> server, Lane lane);

  // Before the lane's thread touches it, or on it.
  void Start(Acceptor acceptor);
  // Any thread.
  void PostDrain();
  void PostCut();
  // Cuts the connections that show this certificate.
  void PostCutPeer(const std::string& sha256_hex);

  Shared& shared() { return *shared_; }
  Handler& handler() { return *lane_.handler; }
  Scratch& scratch() { return scratch_; }
  DateField& date() { return date_; }
  LargeBodies& large_bodies() { return large_bodies_; }
  Executor executor() const { return lane_.io->get_executor(); }
  bool draining() const { return draining_; }
  // The moment by which something must be done that may take `limit`. It is checked every
  // kSweepInterval by one timer of the lane: a timer for each step of each request costs more than
  // parsing the request.
  Clock::time_point DeadlineIn(std::chrono::milliseconds limit) const {
    return coarse_now_ + limit + kSweepInterval;
  }

  // A new connection is a stranger until it is admitted; on a listener that asks for no certificate
  // it stays one.
  std::list<Session*>::iterator Register(Session* session);
  void Admit(std::list<Session*>::iterator place);
  void Unregister(Session* session, std::list<Session*>::iterator place);

 private:
  using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;

  boost::asio::awaitable<void> AcceptLoop();
  boost::asio::awaitable<void> SweepLoop();
  boost::asio::awaitable<void> Pause(std::chrono::milliseconds time);
  bool Full() const;
  // Cuts the stranger who has been here longest. False when nobody can be cut.
  bool CutStranger();
  template <typename Action>
  void ForEachSession(Action action);
  bool Empty() const { return strangers_.empty() && admitted_.empty(); }
  void Drain();
  // Lets the sweeper end, so that the io_context may run out of work.
  void WakeSweeperWhenDone();

  const std::shared_ptr<Shared> shared_;
  const Lane lane_;
  Scratch scratch_;
  DateField date_;
  LargeBodies large_bodies_;
  std::list<Session*> strangers_;  // Oldest first.
  std::list<Session*> admitted_;
  std::unique_ptr<Acceptor> acceptor_;
  Timer pause_;
  Timer sweep_;
  Clock::time_point coarse_now_ = Clock::now();
  bool draining_ = false;
};

}  // namespace postern::http

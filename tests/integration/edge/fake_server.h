#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "postern/v1/client_service.grpc.pb.h"
#include "postern/v1/key_service.grpc.pb.h"
#include "postern/v1/message_service.grpc.pb.h"
#include "postern/v1/registration_service.grpc.pb.h"
#include "services/common/tls/settings.h"

namespace postern::edge::test {

// The main server as an edge sees it, over mutual TLS, with its whole state in memory and in the
// test's hand. Thread-safe.
class FakeServer {
 public:
  explicit FakeServer(tls::Files files);
  ~FakeServer();

  // Starts, the second time on the same port. Throws when that fails.
  void Start();
  void Stop();
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

  // Adds or replaces a client and tells the watchers.
  void SetClient(const v1::Client& client);
  // While held, RegisterMessages does not answer.
  void HoldRegistrations(bool hold);
  // By message id as bytes.
  std::map<std::string, v1::Registration> registrations() const;
  std::size_t registration_calls() const;
  // What GetMessage and ListMessages answer, by id in text form.
  void SetMessage(const v1::Message& message);
  // The last one.
  v1::ListMessagesRequest list_request() const;
  // The data keys handed out, plaintext by id as bytes.
  std::map<std::string, std::string> data_keys() const;

 private:
  class Keys;
  class Clients;
  class Registrations;
  class Messages;

  const tls::Files files_;
  int port_ = 0;
  std::unique_ptr<v1::KeyService::Service> keys_service_;
  std::unique_ptr<v1::ClientService::Service> clients_service_;
  std::unique_ptr<v1::RegistrationService::Service> registration_service_;
  std::unique_ptr<v1::MessageService::Service> message_service_;
  std::unique_ptr<grpc::Server> server_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool hold_ = false;
  std::int64_t revision_ = 1;
  std::map<std::string, v1::Client> clients_;
  std::map<std::string, v1::Registration> registrations_;
  std::size_t registration_calls_ = 0;
  std::map<std::string, v1::Message> messages_;
  v1::ListMessagesRequest list_request_;
  std::map<std::string, std::string> data_keys_;
};

}  // namespace postern::edge::test

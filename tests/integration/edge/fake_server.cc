#include "tests/integration/edge/fake_server.h"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "services/common/base/uuid.h"
#include "services/common/crypto/secret.h"
#include "services/common/rpc/credentials.h"

namespace postern::edge::test {

class FakeServer::Keys final : public v1::KeyService::Service {
 public:
  explicit Keys(FakeServer& owner) : owner_(owner) {}
  grpc::Status CreateDataKey(grpc::ServerContext*, const v1::CreateDataKeyRequest*,
                             v1::CreateDataKeyResponse* answer) override {
    const std::string id(Uuid::Random().bytes());
    const std::string key(crypto::Secret::Random(32).view());
    answer->set_data_key_id(id);
    answer->set_plaintext_key(key);
    answer->mutable_wrapped_data_key()->set_master_key_version(1);
    answer->mutable_wrapped_data_key()->set_ciphertext("wrapped " + id);
    answer->set_edge_hash_key(std::string(32, 'i'));
    answer->set_max_age_seconds(86'400);
    answer->set_max_encryptions(1 << 30);
    const std::lock_guard lock(owner_.mutex_);
    owner_.data_keys_[id] = key;
    return grpc::Status::OK;
  }

 private:
  FakeServer& owner_;
};

class FakeServer::Clients final : public v1::ClientService::Service {
 public:
  explicit Clients(FakeServer& owner) : owner_(owner) {}
  grpc::Status WatchClients(grpc::ServerContext* context, const v1::WatchClientsRequest*,
                            grpc::ServerWriter<v1::WatchClientsResponse>* writer) override {
    std::int64_t sent = 0;
    while (!context->IsCancelled()) {
      v1::WatchClientsResponse step;
      {
        std::unique_lock lock(owner_.mutex_);
        owner_.changed_.wait_for(lock, std::chrono::milliseconds(50),
                                 [&] { return owner_.stopping_ || owner_.revision_ != sent; });
        if (owner_.stopping_) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "stopping");
        if (owner_.revision_ == sent) continue;
        sent = owner_.revision_;
        step.set_snapshot(true);
        step.set_revision(sent);
        for (const auto& [id, client] : owner_.clients_) *step.add_clients() = client;
      }
      if (!writer->Write(step)) break;
    }
    return grpc::Status::CANCELLED;
  }

 private:
  FakeServer& owner_;
};

class FakeServer::Registrations final : public v1::RegistrationService::Service {
 public:
  explicit Registrations(FakeServer& owner) : owner_(owner) {}
  grpc::Status RegisterMessages(grpc::ServerContext*, const v1::RegisterMessagesRequest* request,
                                v1::RegisterMessagesResponse* answer) override {
    std::unique_lock lock(owner_.mutex_);
    owner_.changed_.wait(lock, [&] { return owner_.stopping_ || !owner_.hold_; });
    if (owner_.stopping_) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "stopping");
    ++owner_.registration_calls_;
    for (const v1::Registration& registration : request->registrations()) {
      owner_.registrations_[registration.envelope().id()] = registration;
      answer->add_outcomes()->set_result(v1::REGISTRATION_RESULT_REGISTERED);
    }
    return grpc::Status::OK;
  }

 private:
  FakeServer& owner_;
};

class FakeServer::Messages final : public v1::MessageService::Service {
 public:
  explicit Messages(FakeServer& owner) : owner_(owner) {}
  grpc::Status GetMessage(grpc::ServerContext*, const v1::GetMessageRequest* request,
                          v1::GetMessageResponse* answer) override {
    const std::lock_guard lock(owner_.mutex_);
    const auto found = owner_.messages_.find(request->id());
    if (found == owner_.messages_.end() || found->second.client_id() != request->client_id()) {
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such message");
    }
    *answer->mutable_message() = found->second;
    return grpc::Status::OK;
  }
  // The client's messages by id, the greatest first; the page token is the last id of a page.
  grpc::Status ListMessages(grpc::ServerContext*, const v1::ListMessagesRequest* request,
                            v1::ListMessagesResponse* answer) override {
    const std::lock_guard lock(owner_.mutex_);
    owner_.list_request_ = *request;
    for (auto it = owner_.messages_.rbegin(); it != owner_.messages_.rend(); ++it) {
      if (it->second.client_id() != request->client_id()) continue;
      if (!request->page_token().empty() && it->first >= request->page_token()) continue;
      if (request->page_size() > 0 && answer->messages_size() == request->page_size()) {
        answer->set_next_page_token(answer->messages().rbegin()->id());
        break;
      }
      *answer->add_messages() = it->second;
    }
    return grpc::Status::OK;
  }

 private:
  FakeServer& owner_;
};

FakeServer::FakeServer(tls::Files files) : files_(std::move(files)) { Start(); }

FakeServer::~FakeServer() { Stop(); }

void FakeServer::Start() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = false;
  }
  keys_service_ = std::make_unique<Keys>(*this);
  clients_service_ = std::make_unique<Clients>(*this);
  registration_service_ = std::make_unique<Registrations>(*this);
  message_service_ = std::make_unique<Messages>(*this);
  auto credentials = rpc::ServerCredentials(files_);
  if (!credentials.ok()) throw std::runtime_error(std::string(credentials.status().message()));
  grpc::ServerBuilder builder;
  rpc::SetServerLimits(builder);
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port_), *credentials, &port_);
  builder.RegisterService(keys_service_.get());
  builder.RegisterService(clients_service_.get());
  builder.RegisterService(registration_service_.get());
  builder.RegisterService(message_service_.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) throw std::runtime_error("the fake server cannot listen");
}

void FakeServer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  server_->Wait();
  server_.reset();
}

void FakeServer::SetClient(const v1::Client& client) {
  {
    const std::lock_guard lock(mutex_);
    clients_[client.client_id()] = client;
    ++revision_;
  }
  changed_.notify_all();
}

void FakeServer::HoldRegistrations(bool hold) {
  {
    const std::lock_guard lock(mutex_);
    hold_ = hold;
  }
  changed_.notify_all();
}

std::map<std::string, v1::Registration> FakeServer::registrations() const {
  const std::lock_guard lock(mutex_);
  return registrations_;
}

std::size_t FakeServer::registration_calls() const {
  const std::lock_guard lock(mutex_);
  return registration_calls_;
}

void FakeServer::SetMessage(const v1::Message& message) {
  const std::lock_guard lock(mutex_);
  messages_[message.id()] = message;
}

v1::ListMessagesRequest FakeServer::list_request() const {
  const std::lock_guard lock(mutex_);
  return list_request_;
}

std::map<std::string, std::string> FakeServer::data_keys() const {
  const std::lock_guard lock(mutex_);
  return data_keys_;
}

}  // namespace postern::edge::test

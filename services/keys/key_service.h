#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "postern/v1/key_service.grpc.pb.h"
#include "services/common/crypto/secret.h"
#include "services/keys/data_key_store.h"
#include "services/keys/master_key_keeper.h"

namespace postern::keys {

// How long an edge may use one data key.
struct DataKeyLimits {
  std::int64_t max_age_seconds = 86'400;
  std::int64_t max_encryptions = std::int64_t{1} << 30;
};

// gRPC adapter of data keys and master keys. Thread-safe.
class KeyService final : public v1::KeyService::CallbackService {
 public:
  // All must outlive the server that this service is registered with. `edge_hash_key`: what every
  // edge gets beside its data key, 32 bytes.
  KeyService(DataKeyStore& data_keys, MasterKeyKeeper& master_keys, db::Executor& database,
             DataKeyLimits limits, crypto::Secret edge_hash_key, std::string trust_domain)
      : data_keys_(data_keys),
        master_keys_(master_keys),
        database_(database),
        limits_(limits),
        edge_hash_key_(std::move(edge_hash_key)),
        trust_domain_(std::move(trust_domain)) {}

  grpc::ServerUnaryReactor* CreateDataKey(grpc::CallbackServerContext* context,
                                          const v1::CreateDataKeyRequest* request,
                                          v1::CreateDataKeyResponse* response) override;
  grpc::ServerUnaryReactor* GetKeyStatus(grpc::CallbackServerContext* context,
                                         const v1::GetKeyStatusRequest* request,
                                         v1::GetKeyStatusResponse* response) override;
  grpc::ServerUnaryReactor* RotateMasterKey(grpc::CallbackServerContext* context,
                                            const v1::RotateMasterKeyRequest* request,
                                            v1::RotateMasterKeyResponse* response) override;
  grpc::ServerUnaryReactor* RetireMasterKey(grpc::CallbackServerContext* context,
                                            const v1::RetireMasterKeyRequest* request,
                                            v1::RetireMasterKeyResponse* response) override;

 private:
  using Work = std::function<absl::Status(db::Connection&)>;
  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context, Work work);

  DataKeyStore& data_keys_;
  MasterKeyKeeper& master_keys_;
  db::Executor& database_;
  const DataKeyLimits limits_;
  const crypto::Secret edge_hash_key_;
  const std::string trust_domain_;
};

}  // namespace postern::keys

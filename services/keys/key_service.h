#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "postern/v1/key_service.grpc.pb.h"
#include "services/keys/data_key_store.h"

namespace postern::keys {

// How long an edge may use one data key.
struct DataKeyLimits {
  std::int64_t max_age_seconds = 86'400;
  std::int64_t max_encryptions = std::int64_t{1} << 30;
};

// gRPC adapter of the data keys. Thread-safe.
class KeyService final : public v1::KeyService::CallbackService {
 public:
  // `data_keys` must outlive the server that this service is registered with.
  KeyService(DataKeyStore& data_keys, DataKeyLimits limits, std::string trust_domain)
      : data_keys_(data_keys), limits_(limits), trust_domain_(std::move(trust_domain)) {}

  grpc::ServerUnaryReactor* CreateDataKey(grpc::CallbackServerContext* context,
                                          const v1::CreateDataKeyRequest* request,
                                          v1::CreateDataKeyResponse* response) override;

 private:
  DataKeyStore& data_keys_;
  const DataKeyLimits limits_;
  const std::string trust_domain_;
};

}  // namespace postern::keys

#pragma once

#include <memory>

#include "services/identity/token_key_repository.h"
#include "services/keys/data_key_store.h"

namespace postern::server {

// Joins two domains: the secrets of the identities, wrapped by the master keys as they are now.
// What it makes keeps `data_keys`.
std::unique_ptr<identity::SecretWrapper> MakeSecretWrapper(
    std::shared_ptr<keys::DataKeyStore> data_keys);

}  // namespace postern::server

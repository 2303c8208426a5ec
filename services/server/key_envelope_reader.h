#pragma once

#include <memory>
#include <string>

#include "services/common/crypto/secret.h"
#include "services/keys/data_key_store.h"
#include "services/messages/envelope_reader.h"

namespace postern::server {

// Joins two domains: what the messages need, done by the keys. The readers that it makes keep
// `data_keys` and `index_key`.
messages::EnvelopeReaderFactory MakeEnvelopeReaders(
    std::shared_ptr<keys::DataKeyStore> data_keys, std::shared_ptr<const crypto::Secret> index_key);

}  // namespace postern::server

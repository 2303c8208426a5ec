#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"

namespace postern::messages {

// What the register keeps of a number: enough to find it and to show it, not to know it.
struct NumberFacts {
  std::string hash;    // HMAC-SHA-256 under the index key, 32 bytes.
  std::string masked;  // Such as `+1415*****23`, at most 20 characters.
};

// Both ciphertexts of one message as the register holds them.
struct StoredCiphertext {
  Uuid message_id;
  Uuid data_key_id;
  std::string client_id;
  std::string encrypted_body;
  std::string encrypted_number;
  // The key as it travelled with the message; empty for messages whose key is only in the database.
  v1::WrappedDataKey wrapped_data_key;
};

// Plaintext: for the answer to somebody entitled to read it, never for logs.
struct OpenedMessage {
  std::string body;
  std::string number;
};

// Opens envelopes. This domain needs it and does not know how it is done: the domain of the keys
// does it, the composition root joins them. Used by one thread at a time; the state that readers
// share (data keys) is the implementation's to guard.
//
// Both functions fail with DataLoss when a ciphertext does not open under its key (altered: never
// will), with FailedPrecondition when there is no usable key (unknown, or the master key is another
// one: until an operator brings it back), and with Unavailable when nobody can tell now.
class EnvelopeReader {
 public:
  virtual ~EnvelopeReader() = default;

  // Decrypts the number. Authenticates the body as well, so that a message is never stored as
  // delivered whose body cannot be read. When it answers OK, the data key is in the database, too:
  // the stored message stays readable without its envelope.
  virtual absl::StatusOr<NumberFacts> ReadNumber(const v1::Envelope& envelope) = 0;

  virtual absl::StatusOr<OpenedMessage> Open(const StoredCiphertext& ciphertext) = 0;
};

// Makes a reader. Called from any thread; each reader is then used by one thread at a time.
using EnvelopeReaderFactory = std::function<std::unique_ptr<EnvelopeReader>()>;

}  // namespace postern::messages

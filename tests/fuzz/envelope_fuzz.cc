// Envelopes: bytes that are none, and good ones that were altered. What was altered in anything
// that the encryption binds does not open. Input: an even first byte, then any bytes; or an odd
// one, then edits of a good envelope, three bytes each: where (2), what (1).

#include <string>

#include "postern/v1/envelope.pb.h"
#include "services/common/base/uuid.h"
#include "services/common/crypto/aead.h"
#include "services/common/crypto/envelope_cipher.h"
#include "services/messages/envelope_check.h"
#include "tests/fuzz/fuzz.h"

namespace {

using postern::Uuid;
using postern::crypto::Aead;
using postern::crypto::EnvelopeAdditionalData;
using postern::crypto::EnvelopeField;
using postern::v1::Envelope;

Aead& Cipher() {
  static Aead cipher = Aead::Create(std::string(postern::crypto::kAeadKeySize, 'k')).value();
  return cipher;
}

std::string Bound(EnvelopeField field, const Envelope& envelope) {
  return EnvelopeAdditionalData(field, Uuid::FromBytes(envelope.data_key_id()).value(),
                                Uuid::FromBytes(envelope.id()).value(), envelope.client_id());
}

const Envelope& Good() {
  static const Envelope good = [] {
    Envelope envelope;
    envelope.set_id("0123456789abcdef");
    envelope.set_client_id("client-00");
    envelope.set_domain("example.org");
    envelope.set_data_key_id("fedcba9876543210");
    envelope.mutable_wrapped_data_key()->set_master_key_version(1);
    envelope.mutable_wrapped_data_key()->set_ciphertext(std::string(60, 'w'));
    envelope.set_client_ref("ref-1");
    envelope.set_metadata_json(R"({"a":1})");
    envelope.set_accepted_at_us(1'790'000'000'000'000);
    envelope.set_encrypted_body(Cipher().Seal("a body", Bound(EnvelopeField::kBody, envelope)));
    envelope.set_encrypted_number(
        Cipher().Seal("+14155550123", Bound(EnvelopeField::kNumber, envelope)));
    return envelope;
  }();
  return good;
}

std::string Altered(std::string_view edits) {
  std::string bytes = Good().SerializeAsString();
  while (edits.size() >= 3) {
    const std::size_t high = postern::fuzz::TakeByte(edits);
    const std::size_t where = high * 256 + postern::fuzz::TakeByte(edits);
    bytes[where % bytes.size()] = static_cast<char>(postern::fuzz::TakeByte(edits));
  }
  return bytes;
}

bool BindsTheSame(const Envelope& envelope, const std::string& sealed,
                  const std::string& good_sealed) {
  return envelope.id() == Good().id() && envelope.client_id() == Good().client_id() &&
         envelope.data_key_id() == Good().data_key_id() && sealed == good_sealed;
}

void Check(const std::string& bytes) {
  const postern::v1::QueuePosition position;
  postern::messages::IdOfUnreadable(position, bytes);
  Envelope envelope;
  if (!envelope.ParseFromString(bytes) || !postern::messages::IsWellFormed(envelope)) return;
  const auto body = Cipher().Open(envelope.encrypted_body(), Bound(EnvelopeField::kBody, envelope));
  FUZZ_REQUIRE(body.ok() ==
               BindsTheSame(envelope, envelope.encrypted_body(), Good().encrypted_body()));
  const auto number =
      Cipher().Open(envelope.encrypted_number(), Bound(EnvelopeField::kNumber, envelope));
  FUZZ_REQUIRE(number.ok() ==
               BindsTheSame(envelope, envelope.encrypted_number(), Good().encrypted_number()));
  // Neither field stands for the other.
  FUZZ_REQUIRE(
      !Cipher().Open(envelope.encrypted_body(), Bound(EnvelopeField::kNumber, envelope)).ok());
  Envelope again;
  FUZZ_REQUIRE(again.ParseFromString(envelope.SerializeAsString()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = postern::fuzz::View(data, size);
  const bool edits = postern::fuzz::TakeByte(input) % 2 == 1;
  Check(edits ? Altered(input) : std::string(input));
  return 0;
}

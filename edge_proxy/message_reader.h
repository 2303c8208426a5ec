#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge_proxy/json_scanner.h"
#include "edge_proxy/message_request.h"

namespace postern::edge {

// Collects what is wrong with a request, up to kViolationsMax; counts no further.
class Violations {
 public:
  // `prefix` stands before every pointer.
  explicit Violations(std::string prefix) : prefix_(std::move(prefix)) {}
  void Add(std::string_view pointer, std::string_view code, std::string detail);
  // 422 validation-failed, or nullopt when nothing is wrong.
  std::optional<Problem> Take();

 private:
  const std::string prefix_;
  std::vector<Violation> found_;
  bool full_ = false;
};

// Adds `/name` in the form of RFC 6901.
void AppendPointerToken(std::string& pointer, std::string_view name);
// 400 malformed-json.
Problem MalformedJson(const JsonFault& fault);

// Reads one message out of what the scanner finds, and collects what is wrong with it. Values of
// unknown members, and containers where none belongs, are read over.
class MessageReader final : public JsonHandler {
 public:
  struct Options {
    std::string_view client_id;  // Whose certificate brought the message.
    std::string pointer_prefix;  // Of the message in its document.
    bool takes_key = false;      // There may be a member `idempotency_key`.
  };

  // `out` and the client id must outlive this.
  MessageReader(Options options, ParsedMessage& out)
      : client_id_(options.client_id),
        takes_key_(options.takes_key),
        out_(out),
        violations_(std::move(options.pointer_prefix)) {}

  void OnNull() override { OnScalar(Type::kNull, "null"); }
  void OnBoolean(bool value) override { OnScalar(Type::kBoolean, value ? "true" : "false"); }
  void OnNumber(std::string_view text) override { OnScalar(Type::kNumber, text); }
  void OnString(std::string_view value) override;
  void OnKey(std::string_view name) override;
  void OnStartObject() override { OnStart(/*object=*/true); }
  void OnStartArray() override { OnStart(/*object=*/false); }
  void OnEnd() override;

  // After the last event.
  void Finish();

 private:
  enum class Type { kNull, kBoolean, kNumber, kString, kContainer };
  // What the value that comes next belongs to.
  enum class Member { kNumber, kBody, kMetadata, kKey, kUnknown };

  void OnScalar(Type type, std::string_view text);
  void OnStart(bool object);
  void OnRootKey(std::string_view name);
  void OnUnknownMember(std::string_view name);
  void OnMetadataKey(std::string_view name);
  void OnMetadataScalar(Type type, std::string_view text);
  void OnWrongType(std::string_view wanted);
  void OnRequiredString(std::string_view value);
  void OnIdempotencyKey(std::string_view value);
  void OnMetadataString(std::string_view value);
  void AppendMetadataName();
  void Add(std::string_view pointer, std::string_view code, std::string detail) {
    violations_.Add(pointer, code, std::move(detail));
  }
  std::string Pointer() const;

  const std::string_view client_id_;
  const bool takes_key_;
  ParsedMessage& out_;
  Violations violations_;

  std::size_t depth_ = 0;
  std::size_t ignored_depth_ = 0;  // Of the container that is being read over; 0: none is.
  bool root_is_object_ = false;
  Member member_ = Member::kUnknown;
  bool in_metadata_ = false;
  bool seen_number_ = false;
  bool seen_body_ = false;
  bool seen_metadata_ = false;
  bool seen_key_ = false;

  std::string metadata_name_;
  std::vector<std::string> metadata_names_;
  std::size_t metadata_members_ = 0;
};

}  // namespace postern::edge

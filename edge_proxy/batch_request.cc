#include "edge_proxy/batch_request.h"

#include <string>
#include <utility>

#include "edge_proxy/json_scanner.h"
#include "edge_proxy/limits.h"
#include "edge_proxy/message_reader.h"
#include "services/common/base/strings.h"

namespace postern::edge {
namespace {

constexpr std::string_view kMessages = "/messages";
// The object and the array around the messages.
constexpr std::size_t kDepthAround = 2;

// Hands what belongs to a message to a MessageReader of its own.
class BatchReader final : public JsonHandler {
 public:
  BatchReader(std::string_view client_id, ParsedBatch& out) : client_id_(client_id), out_(out) {}

  void OnNull() override {
    OnScalar([](JsonHandler& message) { message.OnNull(); });
  }
  void OnBoolean(bool value) override {
    OnScalar([value](JsonHandler& message) { message.OnBoolean(value); });
  }
  void OnNumber(std::string_view text) override {
    OnScalar([text](JsonHandler& message) { message.OnNumber(text); });
  }
  void OnString(std::string_view value) override {
    OnScalar([value](JsonHandler& message) { message.OnString(value); });
  }
  void OnKey(std::string_view name) override;
  void OnStartObject() override { OnStart(/*object=*/true); }
  void OnStartArray() override { OnStart(/*object=*/false); }
  void OnEnd() override;

  // After the last event.
  void Finish();

 private:
  template <typename Event>
  void OnScalar(const Event& event);
  void OnStart(bool object);
  bool AtMessage() const { return in_messages_ && depth_ == kDepthAround; }
  // False when there are too many already.
  bool BeginMessage();
  void EndMessage();

  const std::string_view client_id_;
  ParsedBatch& out_;
  Violations violations_{""};

  std::size_t depth_ = 0;
  bool root_is_object_ = false;
  bool at_messages_ = false;  // The value that comes next is that of `messages`.
  bool seen_messages_ = false;
  bool in_messages_ = false;
  bool too_many_ = false;
  ParsedMessage parsed_;
  std::optional<MessageReader> message_;
};

bool BatchReader::BeginMessage() {
  if (out_.messages.size() == kBatchMessagesMax) {
    if (!too_many_) {
      violations_.Add(kMessages, "too-many-messages",
                      StrCat("A batch has at most ", kBatchMessagesMax, " messages."));
    }
    too_many_ = true;
    return false;
  }
  parsed_ = ParsedMessage();
  MessageReader::Options options;
  options.client_id = client_id_;
  options.pointer_prefix = StrCat(kMessages, "/", out_.messages.size());
  options.takes_key = true;
  message_.emplace(std::move(options), parsed_);
  return true;
}

void BatchReader::EndMessage() {
  message_->Finish();
  message_.reset();
  out_.messages.push_back(std::move(parsed_));
}

template <typename Event>
void BatchReader::OnScalar(const Event& event) {
  if (message_.has_value()) {
    event(*message_);
  } else if (AtMessage()) {
    if (!BeginMessage()) return;
    event(*message_);
    EndMessage();
  } else if (depth_ == 0) {
    violations_.Add("", "wrong-type", "The value must be an object.");
  } else if (depth_ == 1 && at_messages_) {
    violations_.Add(kMessages, "wrong-type", "The value must be an array.");
  }
}

void BatchReader::OnKey(std::string_view name) {
  if (message_.has_value()) return message_->OnKey(name);
  if (depth_ != 1 || !root_is_object_) return;
  at_messages_ = name == "messages";
  if (!at_messages_) {
    std::string pointer;
    if (name.size() <= kMemberNameBytesMax) AppendPointerToken(pointer, name);
    violations_.Add(pointer, "unknown-member", "The only member is messages.");
    return;
  }
  if (seen_messages_) {
    violations_.Add(kMessages, "duplicate-member", "The member occurs more than once.");
    at_messages_ = false;
  }
  seen_messages_ = true;
}

void BatchReader::OnStart(bool object) {
  const bool begins = AtMessage() && !message_.has_value() && BeginMessage();
  ++depth_;
  if (message_.has_value()) {
    if (object) {
      message_->OnStartObject();
    } else {
      message_->OnStartArray();
    }
    return;
  }
  if (begins || in_messages_) return;
  if (depth_ == 1) {
    root_is_object_ = object;
    if (!object) violations_.Add("", "wrong-type", "The value must be an object.");
  } else if (depth_ == kDepthAround && at_messages_ && root_is_object_) {
    in_messages_ = !object;
    if (object) violations_.Add(kMessages, "wrong-type", "The value must be an array.");
  }
}

void BatchReader::OnEnd() {
  if (in_messages_ && depth_ == kDepthAround) in_messages_ = false;
  --depth_;
  if (!message_.has_value()) return;
  message_->OnEnd();
  if (depth_ == kDepthAround) EndMessage();
}

void BatchReader::Finish() {
  if (root_is_object_ && !seen_messages_) {
    violations_.Add(kMessages, "required", "The member is missing.");
  }
  out_.problem = violations_.Take();
  if (out_.problem.has_value() || !out_.messages.empty()) return;
  violations_.Add(kMessages, "too-few-messages", "A batch has at least one message.");
  out_.problem = violations_.Take();
}

}  // namespace

ParsedBatch ParseBatchRequest(std::string_view body, std::string_view client_id) {
  ParsedBatch out;
  BatchReader reader(client_id, out);
  const JsonFault fault = ScanJson(body, kJsonDepthMax + kDepthAround, reader);
  if (fault.kind == JsonFault::Kind::kNone) {
    reader.Finish();
  } else {
    out.problem = MalformedJson(fault);
  }
  if (out.problem.has_value()) out.messages.clear();
  return out;
}

}  // namespace postern::edge

#pragma once

#include <cstddef>
#include <string_view>

namespace postern::edge {

// Takes what a JSON text holds, in the order of the text. Views are valid during the call only.
class JsonHandler {
 public:
  virtual ~JsonHandler() = default;
  virtual void OnNull() = 0;
  virtual void OnBoolean(bool value) = 0;
  // As written; a number as in RFC 8259, of any size and precision.
  virtual void OnNumber(std::string_view text) = 0;
  // Unescaped, valid UTF-8; may hold NUL.
  virtual void OnString(std::string_view value) = 0;
  virtual void OnKey(std::string_view name) = 0;
  virtual void OnStartObject() = 0;
  virtual void OnStartArray() = 0;
  virtual void OnEnd() = 0;  // Of an object or an array.
};

// Why a text cannot be read, and how far it could.
struct JsonFault {
  enum class Kind { kNone, kSyntax, kEndOfText, kInvalidUtf8, kLoneSurrogate, kTooDeep };
  Kind kind = Kind::kNone;
  std::size_t offset = 0;  // Of the first byte that does not fit, from 0.
};

// Reads one JSON text (RFC 8259) strictly: valid UTF-8, no byte order mark, no lone surrogate,
// nothing behind the value but blanks. Containers nested deeper than `depth_max` are refused. Keys
// may repeat: that is the handler's to see. After a fault the handler has seen what came before it.
//
// Our own, because nlohmann's parser costs five times as much on the hottest path of all
// (docs/adr/0009-json-scanner.md); a test holds the two against each other.
JsonFault ScanJson(std::string_view text, std::size_t depth_max, JsonHandler& handler);

}  // namespace postern::edge

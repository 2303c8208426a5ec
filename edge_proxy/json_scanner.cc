#include "edge_proxy/json_scanner.h"

#include <cstdint>
#include <string>

namespace postern::edge {
namespace {

using Kind = JsonFault::Kind;

// Bytes of the valid UTF-8 sequence that begins `text` with a byte from 0x80 up; 0 when there is
// none (Unicode 15.0, table 3-7: no overlong form, no surrogate, nothing past U+10FFFF).
std::size_t Utf8SequenceLength(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xBF; };
  const unsigned first = byte(0);
  const unsigned second = byte(1);
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second > 0x9F;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && second < 0x90;
    const bool too_high = first == 0xF4 && second > 0x8F;
    return continues(1) && continues(2) && continues(3) && !overlong && !too_high ? 4 : 0;
  }
  return 0;
}

void AppendUtf8(std::string& out, std::uint32_t code_point) {
  const auto push = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    push(code_point);
  } else if (code_point < 0x800) {
    push(0xC0 | code_point >> 6);
    push(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    push(0xE0 | code_point >> 12);
    push(0x80 | (code_point >> 6 & 0x3F));
    push(0x80 | (code_point & 0x3F));
  } else {
    push(0xF0 | code_point >> 18);
    push(0x80 | (code_point >> 12 & 0x3F));
    push(0x80 | (code_point >> 6 & 0x3F));
    push(0x80 | (code_point & 0x3F));
  }
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Recursive descent; the depth is bounded. Every function leaves `at_` behind what it has read, or
// fails with `at_` at the byte that does not fit.
class Scanner {
 public:
  Scanner(std::string_view text, std::size_t depth_max, JsonHandler& handler)
      : text_(text), depth_max_(depth_max), handler_(handler) {}

  JsonFault Run() {
    SkipBlanks();
    if (Value(0)) {
      SkipBlanks();
      if (at_ < text_.size()) Fail(Kind::kSyntax);
    }
    return fault_;
  }

 private:
  bool Value(std::size_t depth);
  bool Object(std::size_t depth);
  bool Member(std::size_t depth);
  bool Array(std::size_t depth);
  bool Literal(std::string_view word);
  bool Number();
  bool Digits();
  // `out` is a view into the text, or into `unescaped_`.
  bool String(std::string_view& out);
  bool Plain();
  bool Escape();
  bool UnicodeEscape();
  bool Hex4(std::uint32_t& value);

  bool AtEnd() const { return at_ >= text_.size(); }
  bool Sees(char c) const { return !AtEnd() && text_[at_] == c; }
  bool Take(char c) {
    if (!Sees(c)) return false;
    ++at_;
    return true;
  }
  bool Expect(char c) { return Take(c) || Fail(Kind::kSyntax); }
  void SkipBlanks() {
    while (!AtEnd() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  bool Fail(Kind kind) {
    fault_.kind = kind == Kind::kSyntax && AtEnd() ? Kind::kEndOfText : kind;
    fault_.offset = at_;
    return false;
  }

  const std::string_view text_;
  const std::size_t depth_max_;
  JsonHandler& handler_;
  std::size_t at_ = 0;
  std::string unescaped_;
  JsonFault fault_;
};

bool Scanner::Value(std::size_t depth) {
  if (AtEnd()) return Fail(Kind::kSyntax);
  switch (text_[at_]) {
    case '{':
      return depth < depth_max_ ? Object(depth + 1) : Fail(Kind::kTooDeep);
    case '[':
      return depth < depth_max_ ? Array(depth + 1) : Fail(Kind::kTooDeep);
    case '"': {
      std::string_view value;
      if (!String(value)) return false;
      handler_.OnString(value);
      return true;
    }
    case 't':
      if (!Literal("true")) return false;
      handler_.OnBoolean(true);
      return true;
    case 'f':
      if (!Literal("false")) return false;
      handler_.OnBoolean(false);
      return true;
    case 'n':
      if (!Literal("null")) return false;
      handler_.OnNull();
      return true;
    default:
      return Number();
  }
}

bool Scanner::Object(std::size_t depth) {
  ++at_;
  handler_.OnStartObject();
  SkipBlanks();
  if (!Take('}')) {
    do {
      SkipBlanks();
      if (!Member(depth)) return false;
      SkipBlanks();
    } while (Take(','));
    if (!Expect('}')) return false;
  }
  handler_.OnEnd();
  return true;
}

bool Scanner::Member(std::size_t depth) {
  if (!Sees('"')) return Fail(Kind::kSyntax);
  std::string_view name;
  if (!String(name)) return false;
  handler_.OnKey(name);
  SkipBlanks();
  if (!Expect(':')) return false;
  SkipBlanks();
  return Value(depth);
}

bool Scanner::Array(std::size_t depth) {
  ++at_;
  handler_.OnStartArray();
  SkipBlanks();
  if (!Take(']')) {
    do {
      SkipBlanks();
      if (!Value(depth)) return false;
      SkipBlanks();
    } while (Take(','));
    if (!Expect(']')) return false;
  }
  handler_.OnEnd();
  return true;
}

bool Scanner::Literal(std::string_view word) {
  for (const char c : word) {
    if (!Expect(c)) return false;
  }
  return true;
}

bool Scanner::Digits() {
  if (AtEnd() || !IsDigit(text_[at_])) return Fail(Kind::kSyntax);
  while (!AtEnd() && IsDigit(text_[at_])) ++at_;
  return true;
}

bool Scanner::Number() {
  const std::size_t begin = at_;
  Take('-');
  if (!Take('0') && !Digits()) return false;
  if (Take('.') && !Digits()) return false;
  if (Take('e') || Take('E')) {
    if (!Take('+')) Take('-');
    if (!Digits()) return false;
  }
  handler_.OnNumber(text_.substr(begin, at_ - begin));
  return true;
}

bool Scanner::String(std::string_view& out) {
  ++at_;
  const std::size_t begin = at_;
  if (!Plain()) return false;
  if (Sees('"')) {
    out = text_.substr(begin, at_ - begin);
    ++at_;
    return true;
  }
  unescaped_.assign(text_, begin, at_ - begin);
  while (!Sees('"')) {
    if (!Escape()) return false;
    const std::size_t plain = at_;
    if (!Plain()) return false;
    unescaped_.append(text_, plain, at_ - plain);
  }
  ++at_;
  out = unescaped_;
  return true;
}

// Up to a quote or a backslash.
bool Scanner::Plain() {
  while (!AtEnd()) {
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"' || c == '\\') return true;
    if (c < 0x20) return Fail(Kind::kSyntax);
    if (c < 0x80) {
      ++at_;
      continue;
    }
    const std::size_t length = Utf8SequenceLength(text_.substr(at_));
    if (length == 0) return Fail(Kind::kInvalidUtf8);
    at_ += length;
  }
  return Fail(Kind::kSyntax);
}

bool Scanner::Escape() {
  ++at_;
  static constexpr std::string_view kShort = "\"\\/bfnrt";
  static constexpr std::string_view kMeaning = "\"\\/\b\f\n\r\t";
  const std::size_t which = AtEnd() ? std::string_view::npos : kShort.find(text_[at_]);
  if (which != std::string_view::npos) {
    unescaped_.push_back(kMeaning[which]);
    ++at_;
    return true;
  }
  return Expect('u') && UnicodeEscape();
}

bool Scanner::UnicodeEscape() {
  const std::size_t begin = at_;
  std::uint32_t code_point = 0;
  if (!Hex4(code_point)) return false;
  if (code_point >= 0xD800 && code_point <= 0xDFFF) {
    std::uint32_t low = 0;
    const bool pair = code_point <= 0xDBFF && Take('\\') && Take('u') && Hex4(low) &&
                      low >= 0xDC00 && low <= 0xDFFF;
    if (!pair) {
      at_ = begin;
      return Fail(Kind::kLoneSurrogate);
    }
    code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
  }
  AppendUtf8(unescaped_, code_point);
  return true;
}

bool Scanner::Hex4(std::uint32_t& value) {
  for (int i = 0; i < 4; ++i) {
    const char c = AtEnd() ? '\0' : text_[at_];
    if (IsDigit(c)) {
      value = value * 16 + static_cast<std::uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value * 16 + static_cast<std::uint32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      value = value * 16 + static_cast<std::uint32_t>(c - 'A' + 10);
    } else {
      return Fail(Kind::kSyntax);
    }
    ++at_;
  }
  return true;
}

}  // namespace

JsonFault ScanJson(std::string_view text, std::size_t depth_max, JsonHandler& handler) {
  return Scanner(text, depth_max, handler).Run();
}

}  // namespace postern::edge

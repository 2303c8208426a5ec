#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/common/base/strings.h"
#include "services/common/db/connection.h"

namespace postern::messages {

// A WHERE clause from fixed texts, so that there are few statements to prepare. Keeps what the
// values point to.
class Condition {
 public:
  void Add(std::string_view text) { StrAppend(&sql_, sql_.empty() ? " WHERE " : " AND ", text); }
  void Add(std::string_view text, std::int64_t value) {
    Add(text);
    values_.emplace_back(value);
  }
  void Add(std::string_view text, std::string value) {
    Add(text);
    values_.emplace_back(std::string_view(kept_.emplace_back(std::move(value))));
  }
  void AddUnlessEmpty(std::string_view text, const std::string& value) {
    if (!value.empty()) Add(text, value);
  }
  // A value for a placeholder that stands behind the clause or in an added text.
  void AddValue(std::int64_t value) { values_.emplace_back(value); }
  void AddValue(std::string value) {
    values_.emplace_back(std::string_view(kept_.emplace_back(std::move(value))));
  }
  // The values of another clause, whose text stands behind this one's.
  void AddValuesOf(const Condition& other) {
    for (const db::Value& value : other.values_) {
      if (const auto* text = std::get_if<std::string_view>(&value)) {
        AddValue(std::string(*text));
      } else {
        values_.push_back(value);
      }
    }
  }
  const std::string& sql() const { return sql_; }
  const std::vector<db::Value>& values() const { return values_; }

 private:
  std::string sql_;
  std::vector<db::Value> values_;
  std::list<std::string> kept_;
};

}  // namespace postern::messages

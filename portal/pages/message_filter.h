#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "portal/pages/visit.h"

namespace postern::portal {

// The filter of the list of messages, as the address holds it: `range`, `from`, `until`, `state`
// (several), `client`, `number`, `ref`, `reason`. Wrong values are faults, and filter nothing.
class MessageFilter {
 public:
  explicit MessageFilter(const Visit& visit);

  // Sets the filter's fields of a request.
  void Apply(v1::ListMessagesRequest& request) const;
  // The form with its values and faults, the chips, and the presets of the range.
  void Show(View& view, const Visit& visit) const;
  const Faults& faults() const { return faults_; }
  // What the main server has found wrong with the fields of the request.
  void AddServerFaults(const Faults& faults);
  bool empty() const;

 private:
  void ReadRange(const Visit& visit);
  void ShowChips(View& view, const Visit& visit) const;

  std::string range_;
  std::string from_text_;
  std::string until_text_;
  std::int64_t from_us_ = 0;
  std::int64_t until_us_ = 0;
  std::vector<v1::MessageState> states_;
  std::string client_;
  std::string number_;
  std::string ref_;
  std::string reason_;
  Faults faults_;
};

}  // namespace postern::portal

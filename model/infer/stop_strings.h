#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe {

/// Lets text through until one of the stop strings appears in it, even if it arrives in pieces. What could still become
/// a stop string is held back, so that no part of one is ever shown.
class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  /// The text that may be shown now.
  std::string push(std::string_view text);

  /// The text that was held back, when no more will come; nothing after a stop.
  std::string finish();

  /// Whether a stop string was seen; it and all that follows it is dropped.
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace lathe

#include "model/infer/stop_strings.h"

#include <algorithm>
#include <utility>

namespace lathe {
namespace {

/// Length of the longest end of `text` that is a beginning of `stop`, but not all of it.
std::size_t overlap(std::string_view text, std::string_view stop) {
  for (std::size_t length = std::min(text.size(), stop.size() - 1); length > 0; --length) {
    if (text.ends_with(stop.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

std::string StopStrings::push(std::string_view text) {
  if (stopped_) return "";
  held_ += text;
  std::size_t first = std::string::npos;
  std::size_t keep = 0;
  for (const std::string& stop : stops_) {
    first = std::min(first, held_.find(stop));
    keep = std::max(keep, overlap(held_, stop));
  }
  stopped_ = first != std::string::npos;
  const std::string shown = held_.substr(0, stopped_ ? first : held_.size() - keep);
  held_ = stopped_ ? "" : held_.substr(shown.size());
  return shown;
}

std::string StopStrings::finish() { return std::exchange(held_, ""); }

}  // namespace lathe

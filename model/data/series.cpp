#include "model/data/series.h"

#include <algorithm>
#include <cmath>

namespace lathe {
namespace {

constexpr std::size_t kFanIn = 8;

Extent extent_of(float value) {
  return std::isfinite(value) ? Extent{value, value, false} : Extent{INFINITY, -INFINITY, true};
}

void widen(Extent& extent, const Extent& other) {
  extent.low = std::min(extent.low, other.low);
  extent.high = std::max(extent.high, other.high);
  extent.has_nan = extent.has_nan || other.has_nan;
}

}  // namespace

void Series::append(float value) {
  samples_.push_back(value);
  Extent block = extent_of(value);
  for (std::size_t level = 0, span = kFanIn;; ++level, span *= kFanIn) {
    const std::size_t index = (samples_.size() - 1) / span;
    if (level == levels_.size()) {
      if (samples_.size() <= span / kFanIn) return;  // one block below already covers everything
      levels_.emplace_back();
      block = extent(0, samples_.size());
    }
    auto& blocks = levels_[level];
    if (index < blocks.size()) {
      widen(blocks[index], block);
    } else {
      blocks.push_back(block);
    }
  }
}

Extent Series::extent(std::size_t first, std::size_t last) const {
  last = std::min(last, samples_.size());
  Extent found{INFINITY, -INFINITY, false};
  while (first < last) {
    // The widest block that starts here and ends before `last`.
    std::size_t span = 1;
    std::size_t level = 0;
    while (level < levels_.size() && first % (span * kFanIn) == 0 && first + span * kFanIn <= last) {
      span *= kFanIn;
      ++level;
    }
    widen(found, level == 0 ? extent_of(samples_[first]) : levels_[level - 1][first / span]);
    first += span;
  }
  return found;
}

std::vector<Extent> Series::columns(std::size_t first, std::size_t last, std::size_t columns) const {
  last = std::min(last, samples_.size());
  std::vector<Extent> found;
  if (first >= last || columns == 0) return found;
  found.reserve(columns);
  const std::size_t length = last - first;
  for (std::size_t i = 0; i < columns; ++i) {
    const std::size_t begin = first + length * i / columns;
    const std::size_t end = first + length * (i + 1) / columns;
    found.push_back(begin < end ? extent(begin, end) : extent(begin, begin + 1));
  }
  return found;
}

}  // namespace lathe

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lathe {

/// Lowest and highest sample of a stretch; `has_nan` if any sample in it was not finite.
struct Extent {
  float low = 0.0F;
  float high = 0.0F;
  bool has_nan = false;
};

/// An append-only curve: every sample is kept, and a min/max pyramid (fan-in 8) answers any zoom without reading them
/// all, so that a plot draws two points a pixel column and never loses an extreme.
class Series {
 public:
  void append(float value);

  std::size_t size() const { return samples_.size(); }
  bool empty() const { return samples_.empty(); }
  float operator[](std::size_t i) const { return samples_[i]; }
  float back() const { return samples_.back(); }
  std::span<const float> samples() const { return samples_; }

  /// The extent of samples [first, last); last is clamped to size(). Reads O(log n) blocks.
  Extent extent(std::size_t first, std::size_t last) const;

  /// One extent for each of `columns` equal stretches of [first, last); empty stretches repeat their neighbour.
  std::vector<Extent> columns(std::size_t first, std::size_t last, std::size_t columns) const;

 private:
  std::vector<float> samples_;
  std::vector<std::vector<Extent>> levels_;  ///< levels_[k][i] covers 8^(k+1) samples
};

}  // namespace lathe

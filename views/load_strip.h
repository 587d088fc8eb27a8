#pragma once

#include <cstdint>
#include <vector>

#include "model/data/session.h"
#include "views/heat_texture.h"

namespace lathe {

/// The expert load of one layer over time as a texture: a row per expert, a column per `pool` steps (their mean), at
/// most 1,024 columns. New steps are added without reading the old ones again.
class LoadStrip {
 public:
  /// Another `run` or a shorter history starts anew.
  void follow(const RouterHistory& history, JobId run = 0);
  const HeatTexture& texture() const { return texture_; }
  std::size_t pool() const { return pool_; }
  std::size_t steps() const { return steps_; }
  std::size_t experts() const { return experts_; }
  /// Mean load of the expert over the column's steps.
  float load(std::size_t column, std::size_t expert) const;

 private:
  void add_step(const std::vector<float>& load);
  void halve();
  void paint();

  std::vector<float> sums_;  ///< [column][expert]
  JobId run_ = 0;
  std::size_t pool_ = 1, steps_ = 0, experts_ = 0;
  HeatTexture texture_;
};

/// The colour of a load: cividis from 0 to twice what each of `experts` would get at perfect balance.
ImU32 load_color(float load, std::size_t experts);

}  // namespace lathe

#include "views/load_strip.h"

#include <algorithm>
#include <cmath>

#include "views/theme.h"

namespace lathe {
namespace {

constexpr std::size_t kMaxColumns = 1024;

}  // namespace

ImU32 load_color(float load, std::size_t experts) {
  if (!std::isfinite(load)) return color(colors().not_a_number);
  return sample(cividis(), load * static_cast<float>(experts) / 2.0F);
}

float LoadStrip::load(std::size_t column, std::size_t expert) const {
  const std::size_t in_column = std::min(pool_, steps_ - column * pool_);
  return sums_[column * experts_ + expert] / static_cast<float>(in_column);
}

void LoadStrip::follow(const RouterHistory& history, JobId run) {
  const std::size_t experts = history.load.empty() ? 0 : history.load.front().size();
  if (history.load.size() < steps_ || experts != experts_ || run != run_) {
    run_ = run;
    sums_.clear();
    pool_ = 1;
    steps_ = 0;
    experts_ = experts;
  }
  if (history.load.size() == steps_ || experts == 0) return;
  for (std::size_t step = steps_; step < history.load.size(); ++step) add_step(history.load[step]);
  paint();
}

void LoadStrip::add_step(const std::vector<float>& load) {
  if (steps_ == pool_ * kMaxColumns) halve();
  const std::size_t column = steps_ / pool_;
  if (steps_ % pool_ == 0) sums_.resize((column + 1) * experts_, 0.0F);
  for (std::size_t expert = 0; expert < std::min(experts_, load.size()); ++expert)
    sums_[column * experts_ + expert] += load[expert];
  ++steps_;
}

void LoadStrip::halve() {
  for (std::size_t column = 0; column < kMaxColumns / 2; ++column) {
    for (std::size_t expert = 0; expert < experts_; ++expert)
      sums_[column * experts_ + expert] =
          sums_[2 * column * experts_ + expert] + sums_[(2 * column + 1) * experts_ + expert];
  }
  sums_.resize(kMaxColumns / 2 * experts_);
  pool_ *= 2;
}

void LoadStrip::paint() {
  const std::size_t columns = sums_.size() / experts_;
  // The whole width from the start, so that a growing run does not make a texture a step.
  texture_.pixels(static_cast<int>(kMaxColumns), static_cast<int>(experts_));
  ImU32* pixels = texture_.pixels(static_cast<int>(columns), static_cast<int>(experts_));
  const auto pitch = static_cast<std::size_t>(texture_.pitch());
  for (std::size_t column = 0; column < columns; ++column) {
    for (std::size_t expert = 0; expert < experts_; ++expert)
      pixels[expert * pitch + column] = load_color(load(column, expert), experts_);
  }
  texture_.commit();
}

}  // namespace lathe

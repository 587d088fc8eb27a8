#include "views/spectrum.h"

#include <algorithm>

namespace lathe {

std::vector<double> lost_energy(const std::vector<float>& eigenvalues) {
  // From the small end, so that the small losses of high ranks keep their digits.
  std::vector<double> lost(eigenvalues.size(), 0.0);
  double tail = 0;
  for (std::size_t i = eigenvalues.size(); i-- > 0;) {
    lost[i] = tail;
    tail += std::max(0.0, static_cast<double>(eigenvalues[i]));
  }
  for (double& value : lost) value = tail > 0 ? value / tail : 0;
  return lost;
}

double kept_energy(const LatentSpectrum& spectrum) {
  double total = 0, kept = 0;
  for (std::size_t i = 0; i < spectrum.eigenvalues.size(); ++i) {
    const double value = static_cast<double>(spectrum.eigenvalues[i]);
    total += value;
    if (static_cast<std::int64_t>(i) < spectrum.kept_rank) kept += value;
  }
  return total > 0 ? kept / total : 0;
}

}  // namespace lathe

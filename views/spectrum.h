#pragma once

#include <vector>

#include "model/data/receipt.h"

namespace lathe {

/// 1 - E(r) for r = 1…n: the share of the energy (sum of eigenvalues) that a cut after r loses.
std::vector<double> lost_energy(const std::vector<float>& eigenvalues);

/// The share of the energy that the rank which was kept keeps.
double kept_energy(const LatentSpectrum& spectrum);

}  // namespace lathe

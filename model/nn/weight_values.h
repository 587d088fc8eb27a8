#pragma once

#include <string>
#include <vector>

#include "model/nn/layer.h"

namespace lathe {

/// Sentences about weights that are NaN or infinite, with how many there are and where the first is: one for each of
/// the first three tensors that have some, and one for the others together. Empty: every weight is finite.
/// Reads each weight once where all are finite; on a GPU it waits for each tensor.
std::vector<std::string> non_finite_weights(const Model& model);

}  // namespace lathe

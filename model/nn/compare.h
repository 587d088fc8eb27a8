#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/data/job.h"
#include "model/nn/layer.h"

namespace lathe {

/// One tensor that two models do not have alike.
struct TensorDifference {
  std::string name;
  std::string what;         ///< "missing in the second", "shape [2, 3] and [3, 2]", "values"
  double largest = 0.0;     ///< of |a - b|; 0 unless the values differ
  std::int64_t values = 0;  ///< how many differ
};

struct ModelDifference {
  std::int64_t tensors = 0;  ///< compared
  std::vector<TensorDifference> differing;
  double logits = 0.0;      ///< largest |a - b| over `tokens` fixed tokens; infinite if one is not finite
  double logit_size = 0.0;  ///< largest |a|, to judge by
  std::int64_t tokens = 0;
};

/// Compares tensors by Hugging Face name and the logits of a fixed sequence of ids. Models of different structure can
/// still give the same logits: their tensors then differ by name. Throws Error if the vocabularies differ; Cancelled.
ModelDifference compare_models(const Model& a, const Model& b, const Job& job = {});

/// Reads the folder back from the disk and throws Error (E_VERIFY) if it is not `model`: if sums differ from its
/// manifest, or logits by more than rounding to the dtype of the file explains, or (`same_tensors`) any value at all.
ModelDifference verify_saved(const std::filesystem::path& folder, const Model& model, at::ScalarType dtype,
                             bool same_tensors, const Job& job = {});

}  // namespace lathe

#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/data/job.h"
#include "model/io/safetensors.h"
#include "model/nn/layer.h"

namespace lathe {

/// Files that go beside the weights unchanged: name and content ("tokenizer.json", "plan.json", "receipt.json").
using SideFiles = std::vector<std::pair<std::string, std::string>>;

struct SaveOptions {
  std::string form = "hf";              ///< Lathe's own, or a stock class (stock_classes.h)
  std::optional<at::ScalarType> dtype;  ///< of the file; none: the model's
  /// Called with the finished folder before it takes the place of the old one; what it throws ends the save.
  std::function<void(const std::filesystem::path& folder)> verify;
};

/// Writes a Hugging Face folder: config.json, safetensors shards of at most 5 GB with index, side files. Atomic: the
/// folder is the old one or the new one whatever happens. Experts are stored one by one under their v4 names. Returns
/// the files. Throws Error, Cancelled.
std::vector<WrittenFile> save_model(const Model& model, const std::filesystem::path& folder,
                                    const SideFiles& side_files, const Job& job = {}, const SaveOptions& options = {});

}  // namespace lathe

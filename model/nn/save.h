#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "model/data/job.h"
#include "model/nn/layer.h"

namespace lathe {

/// Files that go beside the weights unchanged: name and content ("tokenizer.json", "plan.json", "receipt.json").
using SideFiles = std::vector<std::pair<std::string, std::string>>;

/// Writes a Hugging Face folder: config.json, safetensors shards with index, side files. Atomic: the folder is the old
/// one or the new one whatever happens. Experts are stored one by one under their v4 names. Throws Error, Cancelled.
void save_model(const Model& model, const std::filesystem::path& folder, const SideFiles& side_files,
                const Job& job = {});

}  // namespace lathe

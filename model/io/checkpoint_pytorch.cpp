#include <algorithm>
#include <array>

#include "model/data/error.h"
#include "model/io/checkpoint_builder.h"
#include "model/io/inside_folder.h"
#include "model/io/open_checkpoint.h"
#include "model/io/pytorch_file.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

constexpr const char* kIndex = "pytorch_model.bin.index.json";
constexpr const char* kSingle = "pytorch_model.bin";

// What a trainer leaves beside the weights.
constexpr std::array<std::string_view, 4> kNotWeights{"training_args", "optimizer", "scheduler", "rng_state"};

bool is_weights_name(const fs::path& path) {
  const std::string name = path.filename();
  return is_pytorch_name(path) &&
         std::ranges::none_of(kNotWeights, [&](auto other) { return name.starts_with(other); });
}

std::vector<fs::path> weights_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (is_weights_name(entry.path())) files.push_back(entry.path());
  }
  return files;
}

void add_file(CheckpointBuilder& builder, const fs::path& path) {
  const auto& file = builder.parts().pytorch.emplace_back(std::make_shared<PytorchFile>(path));
  for (const PytorchTensor& tensor : file->tensors()) {
    TensorEntry entry{tensor.name, tensor.dtype, tensor.shape, tensor.bytes};
    entry.strides = tensor.strides;
    if (tensor.checksum != nullptr) entry.checksums.push_back(tensor.checksum);
    builder.add(std::move(entry), path);
  }
  for (const std::string& warning : file->warnings()) builder.warn(text(path.filename().string(), ": ", warning));
}

void add_shards(CheckpointBuilder& builder, const fs::path& folder, const Job& job) {
  builder.add_shards(inside_folder(folder, kIndex), ".bin", job,
                     [&](const fs::path& shard) { add_file(builder, shard); });
}

/// The one file of weights of a folder without index.
fs::path single_file(const fs::path& folder) {
  if (fs::exists(folder / kSingle)) return inside_folder(folder, kSingle);
  const std::vector<fs::path> files = weights_in(folder);
  if (files.size() == 1) return inside_folder(folder, files.front().filename());
  throw Error({.code = ErrorCode::Shard,
               .what = text("the folder holds several PyTorch files but no ", kIndex),
               .where = folder.string(),
               .got = text(files.size(), " files"),
               .expected = "one file, or an index",
               .hint = "get the index, or open one of the files"});
}

Checkpoint open_meta(const fs::path& folder, const fs::path& path, const fs::path& config_path, const Job& job) {
  if (config_path.empty()) return open_meta_folder(folder, path, job);
  throw Error({.code = ErrorCode::Config,
               .what = "a folder of Meta's holds its own config, params.json",
               .where = path.string(),
               .got = text("--config ", config_path.string()),
               .expected = "no other config",
               .hint = "open it without one"});
}

}  // namespace

bool is_pytorch_name(const fs::path& path) {
  const std::string extension = path.extension();
  return extension == ".bin" || extension == ".pt" || extension == ".pth";
}

bool holds_pytorch(const fs::path& folder) {
  return is_meta_folder(folder) || fs::exists(folder / kIndex) || !weights_in(folder).empty();
}

Checkpoint open_pytorch_folder(const fs::path& folder, const fs::path& config_path, const Job& job) {
  if (is_meta_folder(folder)) return open_meta(folder, folder, config_path, job);
  CheckpointBuilder builder(folder, folder, config_path);
  const bool single = fs::exists(folder / kSingle);
  const bool indexed = fs::exists(folder / kIndex);
  if (single && indexed) builder.warn(text("there are both ", kSingle, " and ", kIndex, "; the first is used"));
  if (indexed && !single) {
    add_shards(builder, folder, job);
  } else {
    add_file(builder, single_file(folder));
  }
  return builder.take();
}

Checkpoint open_pytorch_file(const fs::path& path, const fs::path& config_path, const Job& job) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const std::string name = path.filename();
  if (name.starts_with("consolidated.") && is_meta_folder(folder)) return open_meta(folder, path, config_path, job);
  CheckpointBuilder builder(path, folder, config_path);
  // One shard of many stands for the whole model.
  if (name.find("-of-") != std::string::npos && fs::exists(folder / kIndex)) {
    add_shards(builder, folder, job);
  } else {
    add_file(builder, path);
  }
  return builder.take();
}

}  // namespace lathe

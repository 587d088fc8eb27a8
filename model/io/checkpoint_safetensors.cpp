#include "model/data/error.h"
#include "model/io/checkpoint_builder.h"
#include "model/io/inside_folder.h"
#include "model/io/open_checkpoint.h"
#include "model/io/safetensors.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

constexpr const char* kIndex = "model.safetensors.index.json";

/// The one .safetensors file of a folder without index.
fs::path single_file(const fs::path& folder) {
  if (fs::exists(folder / "model.safetensors")) return inside_folder(folder, "model.safetensors");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  const auto refuse = [&](ErrorCode code, std::string what, std::string expected, std::string hint) {
    throw Error({.code = code,
                 .what = std::move(what),
                 .where = folder.string(),
                 .got = text(files.size(), " .safetensors files, no index"),
                 .expected = std::move(expected),
                 .hint = std::move(hint)});
  };
  if (files.empty()) {
    refuse(ErrorCode::Shard, "the folder holds no weights", "model.safetensors, shards with an index, or a .gguf",
           "choose the folder that holds the weights, or download them");
  }
  if (files.size() > 1) {
    refuse(ErrorCode::Shard, text("the folder holds ", files.size(), " .safetensors files but no ", kIndex),
           "one file, or an index", "get the index, or open one of the files");
  }
  return inside_folder(folder, files.front().filename());
}

void add_file(CheckpointBuilder& builder, const fs::path& path) {
  const auto& file = builder.parts().shards.emplace_back(std::make_shared<SafetensorsFile>(path));
  for (const SafetensorsTensor& tensor : file->tensors()) {
    builder.add({tensor.name, tensor.dtype, tensor.shape, tensor.bytes}, path);
  }
  for (const std::string& warning : file->warnings()) builder.warn(text(path.filename().string(), ": ", warning));
}

void add_shards(CheckpointBuilder& builder, const fs::path& folder, const Job& job) {
  builder.add_shards(inside_folder(folder, kIndex), ".safetensors", job,
                     [&](const fs::path& shard) { add_file(builder, shard); });
}

}  // namespace

Checkpoint open_safetensors_folder(const fs::path& folder, const fs::path& config_path, const Job& job) {
  CheckpointBuilder builder(folder, folder, config_path);
  const bool single = fs::exists(folder / "model.safetensors");
  const bool indexed = fs::exists(folder / kIndex);
  if (single && indexed) builder.warn(text("there are both model.safetensors and ", kIndex, "; the first is used"));
  if (indexed && !single) {
    add_shards(builder, folder, job);
  } else {
    add_file(builder, single_file(folder));
  }
  return builder.take();
}

Checkpoint open_safetensors_file(const fs::path& path, const fs::path& config_path, const Job& job) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  CheckpointBuilder builder(path, folder, config_path);
  // One shard of many stands for the whole model.
  const fs::path index = folder / kIndex;
  const bool shard = path.filename().string().find("-of-") != std::string::npos && fs::exists(index);
  if (shard) {
    add_shards(builder, folder, job);
  } else {
    add_file(builder, path);
  }
  return builder.take();
}

}  // namespace lathe

#include <algorithm>
#include <set>

#include "model/data/error.h"
#include "model/io/json_file.h"
#include "model/io/open_checkpoint.h"
#include "model/io/safetensors.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20;
constexpr const char* kIndex = "model.safetensors.index.json";

/// Which shard each tensor lies in, by the folder's index.
using WeightMap = std::map<std::string, std::string>;

nlohmann::json read_config(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  check(fs::exists(path), "[open] there is no config.json beside the weights; folder: ", folder.string());
  nlohmann::json config = read_json_file(path, kMaxConfigBytes);
  check(config.is_object(), "[open] got ", config.type_name(), ", expected an object; file: ", path.string());
  return config;
}

/// A shard is a file of the folder itself: an index must not lead anywhere else.
void check_shard_name(const std::string& name, const fs::path& index) {
  const bool plain = name.ends_with(".safetensors") && name.size() <= 255 &&
                     name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
  check(plain, "[open] the index names the shard \"", name.c_str(),
        "\", expected a .safetensors file of its folder; file: ", index.string());
}

WeightMap read_index(const fs::path& path) {
  const nlohmann::json index = read_json_file(path, kMaxIndexBytes);
  check(index.is_object() && index.contains("weight_map") && index["weight_map"].is_object(),
        "[open] the index has no object \"weight_map\"; file: ", path.string());
  WeightMap weight_map;
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    check(shard.is_string(), "[open] weight_map \"", tensor, "\" is ", shard.type_name(),
          ", expected a string; file: ", path.string());
    check_shard_name(shard, path);
    weight_map[tensor] = shard;
  }
  check(!weight_map.empty(), "[open] the index lists no tensors; file: ", path.string());
  return weight_map;
}

/// Every listed tensor must be in its shard. All that are not are named at once.
void check_listed(const WeightMap& weight_map, const std::map<std::string, std::string>& found_in,
                  const fs::path& index) {
  std::string missing;
  int count = 0;
  for (const auto& [tensor, shard] : weight_map) {
    const auto found = found_in.find(tensor);
    if (found != found_in.end() && found->second == shard) continue;
    constexpr int kMaxNamed = 10;
    if (++count <= kMaxNamed) missing += text(missing.empty() ? "" : ", ", tensor, " (", shard, ")");
  }
  check(count == 0, "[open] ", count, " tensors are not in the shard that the index says: ", missing,
        "; file: ", index.string());
}

/// The one .safetensors file of a folder without index.
fs::path single_file(const fs::path& folder) {
  if (fs::exists(folder / "model.safetensors")) return folder / "model.safetensors";
  std::vector<fs::path> files;
  bool pytorch = false;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension();
    if (extension == ".safetensors") files.push_back(entry.path());
    if (extension == ".bin" || extension == ".pt" || extension == ".pth") pytorch = true;
  }
  check(!files.empty(), "[open] the folder holds no .safetensors or .gguf file",
        pytorch ? "; its PyTorch .bin or .pth files must be converted to safetensors first" : "",
        "; folder: ", folder.string());
  check(files.size() == 1, "[open] the folder holds ", files.size(), " .safetensors files but no ", kIndex,
        "; open one of them; folder: ", folder.string());
  return files.front();
}

/// Fills a Checkpoint from safetensors files, one after the other.
class SafetensorsOpener {
 public:
  SafetensorsOpener(const fs::path& path, const fs::path& folder) {
    parts_.path = path;
    parts_.folder = folder;
    parts_.config_json = read_config(folder);
  }

  void add(const fs::path& path) {
    auto& shard = parts_.shards.emplace_back(std::make_shared<SafetensorsFile>(path));
    for (const SafetensorsTensor& tensor : shard->tensors()) {
      const auto [at, is_new] = parts_.tensors.try_emplace(tensor.name);
      check(is_new, "[open] tensor \"", tensor.name, "\" is in two shards, ", found_in_[tensor.name], " and ",
            path.filename().string(), "; folder: ", path.parent_path().string());
      at->second = {tensor.name, tensor.dtype, tensor.shape, tensor.bytes};
      found_in_[tensor.name] = path.filename().string();
    }
    for (const std::string& warning : shard->warnings()) {
      parts_.warnings.push_back(text(path.filename().string(), ": ", warning));
    }
  }

  void add_shards(const fs::path& index, const Job& job) {
    const WeightMap weight_map = read_index(index);
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : weight_map) shards.insert(shard);
    std::int64_t done = 0;
    for (const std::string& shard : shards) {
      job.progress("opening", "files", done++, static_cast<std::int64_t>(shards.size()));
      check(fs::exists(index.parent_path() / shard), "[open] the shard ", shard,
            " is missing; folder: ", index.parent_path().string());
      add(index.parent_path() / shard);
    }
    check_listed(weight_map, found_in_, index);
    for (const auto& [tensor, shard] : found_in_) {
      if (!weight_map.contains(tensor)) warn(text(shard, ": tensor \"", tensor, "\" is not in the index"));
    }
  }

  void warn(std::string warning) { parts_.warnings.push_back(std::move(warning)); }
  Checkpoint take() { return Checkpoint(std::move(parts_)); }

 private:
  CheckpointParts parts_;
  std::map<std::string, std::string> found_in_;
};

}  // namespace

Checkpoint open_safetensors_folder(const fs::path& folder, const Job& job) {
  SafetensorsOpener opener(folder, folder);
  const bool single = fs::exists(folder / "model.safetensors");
  const bool indexed = fs::exists(folder / kIndex);
  if (single && indexed) opener.warn(text("there are both model.safetensors and ", kIndex, "; the first is used"));
  if (indexed && !single) {
    opener.add_shards(folder / kIndex, job);
  } else {
    opener.add(single_file(folder));
  }
  return opener.take();
}

Checkpoint open_safetensors_file(const fs::path& path, const Job& job) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  SafetensorsOpener opener(path, folder);
  // One shard of many stands for the whole model.
  const fs::path index = folder / kIndex;
  const bool shard = path.filename().string().find("-of-") != std::string::npos && fs::exists(index);
  if (shard) {
    opener.add_shards(index, job);
  } else {
    opener.add(path);
  }
  return opener.take();
}

}  // namespace lathe

#include <algorithm>
#include <set>

#include "model/data/error.h"
#include "model/io/canonical_names.h"
#include "model/io/inside_folder.h"
#include "model/io/json_file.h"
#include "model/io/open_checkpoint.h"
#include "model/io/safetensors.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxShards = 10'000;
constexpr const char* kIndex = "model.safetensors.index.json";

/// Which shard each tensor lies in, by the folder's index.
using WeightMap = std::map<std::string, std::string>;

/// The config that the user named, or the one beside the weights.
nlohmann::json read_config(const fs::path& folder, const fs::path& config_path) {
  const fs::path path = config_path.empty() ? inside_folder(folder, "config.json") : config_path;
  if (!fs::exists(path)) {
    throw Error({.code = ErrorCode::Config,
                 .what = "there is no config.json beside the weights",
                 .where = folder.string(),
                 .got = config_path.empty() ? "no config" : text("no file ", path.string()),
                 .expected = "config.json, which holds the sizes of the network",
                 .hint = "put the model's config.json beside the weights, or name one: --config FILE"});
  }
  nlohmann::json config = read_json_file(path, kMaxConfigBytes);
  if (!config.is_object()) {
    throw Error({.code = ErrorCode::Schema,
                 .what = "the config is of another kind",
                 .where = path.string(),
                 .got = config.type_name(),
                 .expected = "an object",
                 .hint = "get the model's config.json again"});
  }
  return config;
}

Error bad_index(const fs::path& path, ErrorCode code, std::string what, std::string got, std::string expected) {
  return Error({.code = code,
                .what = std::move(what),
                .where = path.string(),
                .got = std::move(got),
                .expected = std::move(expected),
                .hint = "get the index and the shards of the same model again"});
}

WeightMap read_index(const fs::path& path) {
  const nlohmann::json index = read_json_file(path, kMaxIndexBytes);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw bad_index(path, ErrorCode::Schema, "the index has no weight_map", index.type_name(),
                    "an object \"weight_map\" of tensors and their shards");
  }
  WeightMap weight_map;
  std::set<std::string> checked;
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    if (!shard.is_string()) {
      throw bad_index(path, ErrorCode::Schema, text("the shard of \"", tensor, "\" is of another kind"),
                      shard.type_name(), "a string");
    }
    const std::string name = shard;
    if (checked.insert(name).second) {
      inside_folder(path.parent_path(), name);
      if (!name.ends_with(".safetensors")) {
        throw bad_index(path, ErrorCode::Shard, "a shard is not a safetensors file", text("\"", name, "\""),
                        "names that end in .safetensors");
      }
    }
    weight_map[tensor] = name;
  }
  if (weight_map.empty()) throw bad_index(path, ErrorCode::Schema, "the index lists no tensors", "{}", "tensors");
  if (checked.size() > kMaxShards) {
    throw bad_index(path, ErrorCode::Limit, "the index names too many shards", text(checked.size()),
                    text("at most ", kMaxShards));
  }
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
  if (count == 0) return;
  throw bad_index(index, ErrorCode::Shard, text(count, " tensors are not in the shard that the index says"), missing,
                  "every listed tensor in its shard");
}

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

/// Fills a Checkpoint from safetensors files, one after the other.
class SafetensorsOpener {
 public:
  SafetensorsOpener(const fs::path& path, const fs::path& folder, const fs::path& config_path) {
    parts_.path = path;
    parts_.folder = folder;
    parts_.config_json = read_config(folder, config_path);
  }

  void add(const fs::path& path) {
    auto& shard = parts_.shards.emplace_back(std::make_shared<SafetensorsFile>(path));
    for (const SafetensorsTensor& tensor : shard->tensors()) {
      const auto [at, is_new] = parts_.tensors.try_emplace(tensor.name);
      if (!is_new) {
        throw bad_index(path.parent_path(), ErrorCode::Shard, text("tensor \"", tensor.name, "\" is in two shards"),
                        text(found_in_[tensor.name], " and ", path.filename().string()), "every tensor once");
      }
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
      const fs::path file = inside_folder(index.parent_path(), shard);
      if (!fs::exists(file)) {
        throw bad_index(index.parent_path(), ErrorCode::Shard, text("the shard ", shard, " is missing"), "no such file",
                        text(shards.size(), " shards"));
      }
      add(file);
    }
    check_listed(weight_map, found_in_, index);
    for (const auto& [tensor, shard] : found_in_) {
      if (!weight_map.contains(tensor)) warn(text(shard, ": tensor \"", tensor, "\" is not in the index"));
    }
  }

  void warn(std::string warning) { parts_.warnings.push_back(std::move(warning)); }

  Checkpoint take() {
    use_canonical_names(parts_);
    return Checkpoint(std::move(parts_));
  }

 private:
  CheckpointParts parts_;
  std::map<std::string, std::string> found_in_;
};

}  // namespace

Checkpoint open_safetensors_folder(const fs::path& folder, const fs::path& config_path, const Job& job) {
  SafetensorsOpener opener(folder, folder, config_path);
  const bool single = fs::exists(folder / "model.safetensors");
  const bool indexed = fs::exists(folder / kIndex);
  if (single && indexed) opener.warn(text("there are both model.safetensors and ", kIndex, "; the first is used"));
  if (indexed && !single) {
    opener.add_shards(inside_folder(folder, kIndex), job);
  } else {
    opener.add(single_file(folder));
  }
  return opener.take();
}

Checkpoint open_safetensors_file(const fs::path& path, const fs::path& config_path, const Job& job) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  SafetensorsOpener opener(path, folder, config_path);
  // One shard of many stands for the whole model.
  const fs::path index = folder / kIndex;
  const bool shard = path.filename().string().find("-of-") != std::string::npos && fs::exists(index);
  if (shard) {
    opener.add_shards(inside_folder(folder, kIndex), job);
  } else {
    opener.add(path);
  }
  return opener.take();
}

}  // namespace lathe

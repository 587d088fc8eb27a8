#include "model/io/checkpoint_builder.h"

#include <set>

#include "model/data/error.h"
#include "model/io/canonical_names.h"
#include "model/io/inside_folder.h"
#include "model/io/json_file.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxShards = 10'000;

/// Which shard each tensor lies in, by the folder's index.
using WeightMap = std::map<std::string, std::string>;

nlohmann::json read_config(const fs::path& folder, const fs::path& config_path) {
  const fs::path path = config_path.empty() ? inside_folder(folder, "config.json") : config_path;
  if (!fs::exists(path)) {
    throw Error({.code = ErrorCode::Config,
                 .what = config_path.empty() ? "there is no config.json beside the weights"
                                             : "the config that was named is not there",
                 .where = path.string(),
                 .got = "no such file",
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

WeightMap read_index(const fs::path& path, std::string_view extension) {
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
      if (!name.ends_with(extension)) {
        throw bad_index(path, ErrorCode::Shard, "a shard has another ending than its index", text("\"", name, "\""),
                        text("names that end in ", extension));
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
void check_listed(const WeightMap& weight_map, const WeightMap& found_in, const fs::path& index) {
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

}  // namespace

CheckpointBuilder::CheckpointBuilder(const fs::path& path, const fs::path& folder, const fs::path& config_path) {
  parts_.path = path;
  parts_.folder = folder;
  if (!config_path.empty()) parts_.config_folder = fs::absolute(config_path).parent_path();
  parts_.config_json = read_config(folder, config_path);
}

void CheckpointBuilder::add(TensorEntry entry, const fs::path& file) {
  const std::string name = file.filename().string();
  const auto [found, is_new] = found_in_.try_emplace(entry.name, name);
  if (!is_new) {
    throw bad_index(file.parent_path(), ErrorCode::Shard, text("tensor \"", entry.name, "\" is in two shards"),
                    text(found->second, " and ", name), "every tensor once");
  }
  const std::string tensor = entry.name;
  entry.file = file.filename().string();
  parts_.tensors.emplace(tensor, std::move(entry));
}

void CheckpointBuilder::add_shards(const fs::path& index, std::string_view extension, const Job& job,
                                   const std::function<void(const fs::path&)>& add_file) {
  const WeightMap weight_map = read_index(index, extension);
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
    add_file(file);
  }
  check_listed(weight_map, found_in_, index);
  for (const auto& [tensor, shard] : found_in_) {
    if (!weight_map.contains(tensor)) warn(text(shard, ": tensor \"", tensor, "\" is not in the index"));
  }
}

Checkpoint CheckpointBuilder::take() {
  use_canonical_names(parts_);
  return Checkpoint(std::move(parts_));
}

}  // namespace lathe

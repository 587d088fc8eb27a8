#include <algorithm>
#include <array>

#include "model/data/error.h"
#include "model/io/inside_folder.h"
#include "model/io/json_file.h"
#include "model/io/meta_config.h"
#include "model/io/open_checkpoint.h"
#include "model/io/pytorch_file.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxParamsBytes = std::size_t{1} << 20;
constexpr const char* kParams = "params.json";
constexpr const char* kFirstShard = "consolidated.00.pth";

/// How Meta's model parallelism divides a tensor among the shards.
enum class Split {
  None,       ///< every shard has all of it
  Rows,       ///< ColumnParallelLinear: its outputs
  Columns,    ///< RowParallelLinear: its inputs
  Embedding,  ///< Llama 1 and 2 divide the embedding's columns, Llama 3 its rows
};

struct MetaName {
  std::string_view meta;
  std::string_view hf;
  Split split;
};

// Source: llama/model.py; transformers, convert_llama_weights_to_hf.py.
constexpr std::array<MetaName, 3> kModelNames{{{"tok_embeddings", "model.embed_tokens", Split::Embedding},
                                               {"norm", "model.norm", Split::None},
                                               {"output", "lm_head", Split::Rows}}};
constexpr std::array<MetaName, 9> kLayerNames{{{"attention_norm", "input_layernorm", Split::None},
                                               {"attention.wq", "self_attn.q_proj", Split::Rows},
                                               {"attention.wk", "self_attn.k_proj", Split::Rows},
                                               {"attention.wv", "self_attn.v_proj", Split::Rows},
                                               {"attention.wo", "self_attn.o_proj", Split::Columns},
                                               {"ffn_norm", "post_attention_layernorm", Split::None},
                                               {"feed_forward.w1", "mlp.gate_proj", Split::Rows},
                                               {"feed_forward.w3", "mlp.up_proj", Split::Rows},
                                               {"feed_forward.w2", "mlp.down_proj", Split::Columns}}};

struct PlacedName {
  std::string hf;
  Split split = Split::None;
};

/// "layers.3.attention.wq.weight" -> "model.layers.3.self_attn.q_proj.weight". A name that the tables lack stays, so
/// that the loader reports it as unexpected.
PlacedName placed_name(std::string_view name) {
  constexpr std::string_view kWeight = ".weight";
  constexpr std::string_view kLayers = "layers.";
  if (!name.ends_with(kWeight)) return {std::string(name)};
  const std::string_view stem = name.substr(0, name.size() - kWeight.size());
  const std::size_t number_end = stem.starts_with(kLayers) ? stem.find('.', kLayers.size()) : std::string_view::npos;
  const bool in_layer = number_end != std::string_view::npos;
  const std::span<const MetaName> names = in_layer ? std::span<const MetaName>(kLayerNames) : kModelNames;
  const std::string_view own = in_layer ? stem.substr(number_end + 1) : stem;
  const auto found = std::ranges::find(names, own, &MetaName::meta);
  if (found == names.end()) return {std::string(name)};
  return {text(in_layer ? text("model.", stem.substr(0, number_end), ".") : "", found->hf, kWeight), found->split};
}

class MetaOpener {
 public:
  MetaOpener(const fs::path& folder, const fs::path& path) : folder_(folder) {
    parts_.path = path;
    parts_.folder = folder;
    params_ = read_json_file(inside_folder(folder, kParams), kMaxParamsBytes);
  }

  Checkpoint open(const Job& job) {
    const std::vector<fs::path> shards = shard_files();
    for (std::size_t i = 0; i < shards.size(); ++i) {
      job.progress("opening", "files", static_cast<std::int64_t>(i), static_cast<std::int64_t>(shards.size()));
      add_shard(inside_folder(folder_, shards[i].filename()));
    }
    for (const auto& [name, pieces] : pieces_) {
      if (name.ends_with("rope.freqs")) continue;  // they follow from params.json
      add_tensor(name, pieces);
    }
    const MetaSizes sizes{.vocab_size = rows_of("model.embed_tokens.weight"),
                          .intermediate_size = rows_of("model.layers.0.mlp.gate_proj.weight")};
    parts_.config_json = config_from_meta(params_, sizes, folder_ / kParams, parts_.warnings);
    set_rotary_order("num_attention_heads", "q_proj");
    set_rotary_order("num_key_value_heads", "k_proj");
    return Checkpoint(std::move(parts_));
  }

 private:
  using Pieces = std::vector<const PytorchTensor*>;

  [[noreturn]] void fail(ErrorParts parts) const {
    parts.where += text(parts.where.empty() ? "" : " of ", folder_.string());
    if (parts.hint.empty()) parts.hint = "download the folder again";
    throw Error(std::move(parts));
  }

  [[noreturn]] void fail_tensor(const std::string& name, ErrorParts parts) const {
    parts.where = text("tensor \"", name, "\"");
    fail(std::move(parts));
  }

  /// consolidated.00.pth, .01.pth ... without a gap.
  std::vector<fs::path> shard_files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("consolidated.") && name.ends_with(".pth")) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (std::size_t i = 0; i < files.size(); ++i) {
      const std::string expected = text("consolidated.", i < 10 ? "0" : "", i, ".pth");
      if (files[i].filename() == expected) continue;
      fail({.code = ErrorCode::Shard,
            .what = "a shard is missing",
            .got = files[i].filename().string(),
            .expected = expected});
    }
    return files;
  }

  void add_shard(const fs::path& path) {
    const auto& file = parts_.pytorch.emplace_back(std::make_shared<PytorchFile>(path));
    const std::size_t before = parts_.pytorch.size() - 1;
    for (const PytorchTensor& tensor : file->tensors()) pieces_[tensor.name].push_back(&tensor);
    for (const auto& [name, pieces] : pieces_) {
      if (pieces.size() == before + 1) continue;
      fail_tensor(name, {.code = ErrorCode::Shard,
                         .what = "the tensor is not in every shard",
                         .got = text(pieces.size(), " shards"),
                         .expected = text(before + 1),
                         .hint = "the shards are of different models or one is broken: download the folder again"});
    }
    for (const std::string& warning : file->warnings()) {
      parts_.warnings.push_back(text(path.filename().string(), ": ", warning));
    }
  }

  void add_tensor(const std::string& name, const Pieces& pieces) {
    const PlacedName placed = placed_name(name);
    const PytorchTensor& first = *pieces.front();
    TensorEntry entry{placed.hf, first.dtype, first.shape, first.bytes};
    entry.strides = first.strides;
    if (pieces.size() > 1 && placed.split != Split::None) join(name, placed.split, pieces, entry);
    for (const PytorchTensor* piece : pieces) {
      if (piece->checksum != nullptr) entry.checksums.push_back(piece->checksum);
    }
    entry.file = pieces.size() == 1 ? "consolidated.00.pth" : "consolidated.*.pth";
    if (!parts_.tensors.emplace(placed.hf, std::move(entry)).second) {
      fail_tensor(name, {.code = ErrorCode::DuplicateKey,
                         .what = text("two tensors are ", placed.hf),
                         .got = "one more",
                         .expected = "every tensor once"});
    }
  }

  void join(const std::string& name, Split split, const Pieces& pieces, TensorEntry& entry) const {
    for (const PytorchTensor* piece : pieces) {
      const bool equal = piece->dtype == pieces.front()->dtype && piece->shape == entry.shape && piece->strides.empty();
      if (equal && piece->shape.size() == 2) continue;
      fail_tensor(name, {.code = ErrorCode::Shard,
                         .what = "the shards' pieces cannot be joined",
                         .got = text(dtype_name(piece->dtype), " ", shape_text(piece->shape),
                                     piece->strides.empty() ? "" : " with gaps"),
                         .expected = text(type_name(entry.type), " ", shape_text(entry.shape), ", two-dimensional")});
    }
    const bool columns = split == Split::Columns || (split == Split::Embedding && entry.shape[1] != hidden_size());
    const auto count = static_cast<std::int64_t>(pieces.size());
    if (__builtin_mul_overflow(entry.shape[columns ? 1 : 0], count, &entry.shape[columns ? 1 : 0])) {
      fail_tensor(name, {.code = ErrorCode::Overflow,
                         .what = "the shards' pieces are too large together",
                         .got = text(count, " pieces of ", shape_text(pieces.front()->shape)),
                         .expected = "sizes of 63 bits"});
    }
    entry.bytes = {};
    entry.parts.side_by_side = columns;
    for (const PytorchTensor* piece : pieces) entry.parts.bytes.push_back(piece->bytes);
  }

  std::int64_t hidden_size() const {
    const auto dim = params_.is_object() ? params_.find("dim") : params_.end();
    return params_.is_object() && dim != params_.end() && dim->is_number_integer() ? dim->get<std::int64_t>() : 0;
  }

  std::int64_t rows_of(std::string_view name) const {
    const auto found = parts_.tensors.find(name);
    if (found == parts_.tensors.end() || found->second.shape.size() != 2) {
      fail({.code = ErrorCode::Shard,
            .what = text("the shards hold no two-dimensional ", name),
            .got = text(parts_.tensors.size(), " other tensors"),
            .expected = std::string(name)});
    }
    return found->second.shape[0];
  }

  /// Meta's queries and keys have their rotary pairs side by side, as llama.cpp's.
  void set_rotary_order(const char* heads_key, std::string_view projection) {
    const auto heads = parts_.config_json.at(heads_key).get<std::int64_t>();
    for (auto& [name, entry] : parts_.tensors) {
      if (name.find(text(".self_attn.", projection, ".weight")) == std::string::npos) continue;
      const std::int64_t rows = entry.shape.empty() ? 0 : entry.shape.front();
      if (heads < 1 || rows < 1 || rows % (2 * heads) != 0 || entry.shape.size() != 2) {
        fail_tensor(name, {.code = ErrorCode::Config,
                           .what = "the rows do not divide into heads of rotary pairs",
                           .got = text(rows, " rows"),
                           .expected = text("an even number for each of ", heads, " heads")});
      }
      entry.interleaved = {.block = rows / heads, .first = 0, .count = rows / heads};
    }
  }

  const fs::path& folder_;
  CheckpointParts parts_;
  nlohmann::json params_;
  std::map<std::string, Pieces> pieces_;
};

}  // namespace

bool is_meta_folder(const fs::path& folder) { return fs::exists(folder / kParams) && fs::exists(folder / kFirstShard); }

Checkpoint open_meta_folder(const fs::path& folder, const fs::path& path, const Job& job) {
  return MetaOpener(folder, path).open(job);
}

}  // namespace lathe

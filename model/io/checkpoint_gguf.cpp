#include <algorithm>

#include "model/data/config.h"
#include "model/data/error.h"
#include "model/io/canonical_names.h"
#include "model/io/gguf_config.h"
#include "model/io/gguf_names.h"
#include "model/io/gguf_parts.h"
#include "model/io/open_checkpoint.h"

namespace lathe {

namespace {

/// Collects the tensors of a GGUF model under the names of canonical_names.h.
class GgufTensors {
 public:
  explicit GgufTensors(CheckpointParts& parts) : parts_(parts) {}

  void add(const GgufTensor& tensor) {
    if (tensor.name == "rope_freqs.weight") return;  // not a weight: config_from_gguf reads it
    const GgufMeaning meaning = gguf_meaning(tensor.name);
    if (meaning.merged) return add_experts(tensor, meaning.name);
    TensorEntry entry{meaning.name, tensor.type, tensor.shape, tensor.bytes};
    if (entry.shape.size() == 1 && entry.name.ends_with(".mlp.shared_expert_gate.weight")) {
      entry.shape.insert(entry.shape.begin(), 1);  // a matrix of one row, which GGUF keeps as a vector
    }
    if (has_interleaved_heads()) entry.interleaved = interleaved_rows(entry);
    put(std::move(entry));
  }

  /// What is added from now on lies in this file.
  void start(std::string file) { file_ = std::move(file); }

  /// Makes kv_b of what current files keep in two: the keys' part, transposed, and the values' part.
  void join_keys_and_values() {
    constexpr std::string_view kKeys = ".attn_k_b.weight";
    std::vector<std::string> keys;
    for (const auto& [name, entry] : parts_.tensors) {
      if (name.starts_with("blk.") && name.ends_with(kKeys)) keys.push_back(name);
    }
    for (const std::string& name : keys) {
      const std::string block = name.substr(0, name.size() - kKeys.size());
      if (parts_.tensors.contains(block + ".attn_v_b.weight")) join(block);
    }
  }

 private:
  /// The llama architecture stores the rotary pairs of q and k side by side; Qwen's does not, and DeepSeek's rows are
  /// those of its Hugging Face files.
  bool has_interleaved_heads() const {
    const auto& type = parts_.config_json.at("model_type");
    return type == "llama" || type == "mistral" || type == "mixtral";
  }

  InterleavedRows interleaved_rows(const TensorEntry& entry) const {
    const bool is_query = entry.name.find(".self_attn.q_proj.") != std::string::npos;
    const bool is_key = entry.name.find(".self_attn.k_proj.") != std::string::npos;
    if (!is_query && !is_key) return {};
    const auto heads =
        parts_.config_json.at(is_query ? "num_attention_heads" : "num_key_value_heads").get<std::int64_t>();
    const std::int64_t rows = entry.shape.empty() ? 0 : entry.shape.front();
    if (heads <= 0 || rows <= 0 || rows % 2 != 0 || rows / 2 % heads != 0 || entry.shape.size() > 2) {
      refuse(ErrorCode::Config, "the rows of a projection do not divide into heads of rotary pairs", entry.name,
             text("shape ", shape_text(entry.shape), " and ", heads, " heads"), "an even number of rows for each head");
    }
    return {.block = rows / heads, .first = 0, .count = rows / heads};
  }

  void add_experts(const GgufTensor& tensor, const std::string& first_name) {
    const std::int64_t experts = tensor.shape.empty() ? 0 : tensor.shape.front();
    if (tensor.shape.size() != 3 || experts < 1 || experts > kMostExpertsOfLayer) {
      refuse(ErrorCode::Config, "merged experts are not a stack of matrices", tensor.name,
             shape_text(tensor.shape), text("[experts, rows, columns], at most ", kMostExpertsOfLayer, " experts"));
    }
    const std::size_t bytes = tensor.bytes.size() / static_cast<std::size_t>(experts);
    for (std::int64_t i = 0; i < experts; ++i) {
      put({expert_name(first_name, i),
           tensor.type,
           {tensor.shape[1], tensor.shape[2]},
           tensor.bytes.subspan(static_cast<std::size_t>(i) * bytes, bytes)});
    }
  }

  void join(const std::string& block) {
    auto parts = std::make_shared<KeyValueParts>();
    parts->keys = std::move(parts_.tensors.extract(block + ".attn_k_b.weight").mapped());
    parts->values = std::move(parts_.tensors.extract(block + ".attn_v_b.weight").mapped());
    const auto& k = parts->keys.shape;    // [H, R, N]
    const auto& v = parts->values.shape;  // [H, V, R]
    if (k.size() != 3 || v.size() != 3 || k[0] != v[0] || k[1] != v[2] || k[0] < 1 || k[1] < 1) {
      refuse(ErrorCode::Config, "the parts of kv_b do not fit together", parts->keys.name,
             text("attn_k_b ", shape_text(k), " and attn_v_b ", shape_text(v)),
             "[heads, kv_lora_rank, qk_nope_head_dim] and [heads, v_head_dim, kv_lora_rank]");
    }
    std::int64_t rows = 0;
    if (__builtin_add_overflow(k[2], v[1], &rows) || __builtin_mul_overflow(rows, k[0], &rows)) {
      refuse(ErrorCode::Overflow, "kv_b is too large", parts->keys.name, shape_text(k), "fewer than 2^63 rows");
    }
    TensorEntry entry{gguf_meaning(block + ".attn_kv_b.weight").name, parts->values.type, {rows, k[1]}, {}};
    entry.key_value = std::move(parts);
    put(std::move(entry));
  }

  void put(TensorEntry entry) {
    entry.file = file_;
    const std::string name = entry.name;
    if (!parts_.tensors.emplace(name, std::move(entry)).second) {
      refuse(ErrorCode::DuplicateKey, "two tensors have one meaning", name, "another one of that meaning",
             "every tensor once");
    }
  }

  [[noreturn]] void refuse(ErrorCode code, std::string what, const std::string& tensor, std::string got,
                           std::string expected) const {
    throw Error({.code = code,
                 .what = std::move(what),
                 .where = text("tensor \"", tensor, "\"; file: ", parts_.path.string()),
                 .got = std::move(got),
                 .expected = std::move(expected),
                 .hint = "the file's metadata belongs to another model: convert the model to GGUF again"});
  }

  CheckpointParts& parts_;
  std::string file_;
};

}  // namespace

Checkpoint open_gguf_checkpoint(const std::filesystem::path& path) {
  CheckpointParts parts;
  parts.path = path;
  parts.folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  parts.gguf = open_gguf_parts(path);
  parts.config_json = config_from_gguf(parts.gguf);
  GgufTensors tensors(parts);
  for (const auto& file : parts.gguf) {
    parts.warnings.insert(parts.warnings.end(), file->warnings().begin(), file->warnings().end());
    tensors.start(file->path().filename().string());
    for (const GgufTensor& tensor : file->tensors()) tensors.add(tensor);
  }
  tensors.join_keys_and_values();
  use_canonical_names(parts);
  return Checkpoint(std::move(parts));
}

}  // namespace lathe

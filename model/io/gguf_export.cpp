#include "model/io/gguf_export.h"

#include <algorithm>
#include <unordered_map>

#include "model/io/gguf_architecture.h"
#include "model/io/gguf_names.h"
#include "model/io/gguf_rope.h"
#include "model/io/gguf_tokenizer_fields.h"
#include "model/io/gguf_writer.h"
#include "model/io/quantize.h"

// H heads, R kv_lora_rank, N qk_nope_head_dim, V v_head_dim

namespace lathe {

namespace {

using Put = std::function<void(std::span<const std::byte>)>;

constexpr std::int64_t kChunkValues = 65536;  // read and stored at once: they stay in the cache

std::int64_t row_length(const RowSource& source) { return source.shape.back(); }
std::int64_t num_rows(const RowSource& source) { return source.shape.size() == 1 ? 1 : source.shape.front(); }

/// Which rows of a source GGUF keeps with rotary pairs side by side, where memory has halves.
struct RotaryRows {
  std::int64_t block = 0;  // 0: none
  std::int64_t first = 0;
  std::int64_t count = 0;

  /// The source's row that is stored at `row`. Source: llama.cpp conversion/llama.py, permute.
  std::int64_t source_row(std::int64_t row) const {
    if (block == 0) return row;
    const std::int64_t start = row - row % block + first;
    const std::int64_t place = row - start;
    if (place < 0 || place >= count) return row;
    return start + place % 2 * (count / 2) + place / 2;
  }
};

/// Writes one model: plans its tensors, each of which reads its source when its turn comes.
class GgufExport {
 public:
  GgufExport(const GgufModel& model, GgufArchitecture architecture) : model_(model), architecture_(architecture) {
    for (const RowSource& source : model.tensors) sources_.emplace(source.name, &source);
  }

  std::vector<GgufTensorSource> tensors() {
    const RopeScaling& rope = model_.config.rope_scaling;
    if (rope.kind == RopeScalingKind::Llama3) add_divisors(rope);
    for (const RowSource& source : model_.tensors) {
      if (source.name.ends_with(".kv_b_proj.weight")) {
        add_keys_and_values(source);
      } else if (source.name.find(".mlp.experts.") == std::string::npos) {
        add({&source});
      } else if (source.name.find(".mlp.experts.0.") != std::string::npos) {
        add(experts(source.name));
      }
    }
    if (architecture_ == GgufArchitecture::Qwen2Moe && model_.config.tie_word_embeddings) add_head();
    return std::move(tensors_);
  }

 private:
  [[noreturn]] static void refuse(const std::string& name, std::string what, std::string expected) {
    throw Error({.code = ErrorCode::Export,
                 .what = std::move(what),
                 .where = "the model",
                 .got = text("\"", name, "\""),
                 .expected = std::move(expected),
                 .hint = "export a Hugging Face folder, which holds every model of Lathe"});
  }

  std::vector<const RowSource*> experts(const std::string& first_name) const {
    std::vector<const RowSource*> all;
    for (std::int64_t i = 0; i < model_.config.layers.back().feed_forward.num_experts; ++i) {
      const auto found = sources_.find(expert_name(first_name, i));
      if (found == sources_.end())
        refuse(expert_name(first_name, i), "an expert is missing", "all experts of the layer");
      all.push_back(found->second);
    }
    return all;
  }

  /// Norms, biases and routers are small and sensitive.
  StoredType stored_type(const RowSource& source) const {
    if (source.shape.size() == 1 || source.name.ends_with(".mlp.gate.weight") ||
        source.name.ends_with(".mlp.shared_expert_gate.weight")) {
      return DType::F32;
    }
    const bool gives_logits = source.name == "lm_head.weight" ||
                              (model_.config.tie_word_embeddings && source.name == "model.embed_tokens.weight");
    return matrix_type(gives_logits && model_.type == StoredType(QuantType::Q4_0) ? QuantType::Q8_0 : model_.type,
                       row_length(source));
  }

  static StoredType matrix_type(StoredType type, std::int64_t length) {
    return length % block_size(type).values == 0 ? type : DType::F16;
  }

  RotaryRows rotary_rows(const std::string& name) const {
    const auto is = [&](const char* part) { return name.find(text(".self_attn.", part, ".")) != std::string::npos; };
    const ModelConfig& config = model_.config;
    if (architecture_ == GgufArchitecture::Llama && (is("q_proj") || is("k_proj"))) {
      return {.block = config.head_dim, .first = 0, .count = config.head_dim};
    }
    if (architecture_ != GgufArchitecture::Deepseek2) return {};
    const AttentionConfig& mla = config.layers.front().attention;
    const std::int64_t rope = mla.qk_rope_head_dim;
    if (is("q_proj") || is("q_b_proj")) {
      return {.block = mla.qk_nope_head_dim + rope, .first = mla.qk_nope_head_dim, .count = rope};
    }
    if (is("kv_a_proj_with_mqa")) return {.block = mla.kv_lora_rank + rope, .first = mla.kv_lora_rank, .count = rope};
    return {};
  }

  /// One tensor of these sources, one below the other; several become [E, O, I].
  void add(std::vector<const RowSource*> sources) {
    const RowSource& first = *sources.front();
    const auto name = gguf_name(first.name);
    if (!name) refuse(first.name, "a tensor has no name in GGUF", "a tensor of Llama, Qwen2 or DeepSeek");
    const StoredType type = stored_type(first);
    std::vector<std::int64_t> shape = first.shape;
    if (first.name.ends_with(".mlp.shared_expert_gate.weight")) shape = {row_length(first)};
    if (first.name.find(".mlp.experts.") != std::string::npos) shape.insert(shape.begin(), std::ssize(sources));
    const RotaryRows rotary = rotary_rows(first.name);
    const auto bytes = [sources = std::move(sources), type, rotary](const Put& put) {
      for (const RowSource* source : sources) put_rows(*source, type, rotary, put);
    };
    tensors_.push_back({*name, type, std::move(shape), bytes});
  }

  static void put_rows(const RowSource& source, StoredType type, const RotaryRows& rotary, const Put& put) {
    const std::int64_t length = row_length(source);
    const std::int64_t rows = num_rows(source);
    if (source.shape.size() == 1) return put_vector(source, type, rotary, put);
    const std::int64_t step = std::clamp<std::int64_t>(kChunkValues / length, 1, rows);
    std::vector<float> values(static_cast<std::size_t>(step * length));
    for (std::int64_t first = 0; first < rows; first += step) {
      const std::int64_t count = std::min(step, rows - first);
      const std::span<float> chunk = std::span(values).first(static_cast<std::size_t>(count * length));
      if (rotary.block == 0) {
        source.read_rows(first, count, chunk);
      } else {
        for (std::int64_t i = 0; i < count; ++i) {
          source.read_rows(rotary.source_row(first + i), 1,
                           chunk.subspan(static_cast<std::size_t>(i * length), static_cast<std::size_t>(length)));
        }
      }
      put(quantize(type, chunk));
    }
  }

  /// A bias is permuted like the rows of its weight.
  static void put_vector(const RowSource& source, StoredType type, const RotaryRows& rotary, const Put& put) {
    std::vector<float> values(static_cast<std::size_t>(row_length(source)));
    source.read_rows(0, 1, values);
    std::vector<float> stored(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      stored[i] = values[static_cast<std::size_t>(rotary.source_row(static_cast<std::int64_t>(i)))];
    }
    put(quantize(type, stored));
  }

  /// llama.cpp absorbs kv_b into queries and outputs: it wants the keys' part transposed, [H, R, N], and the values'
  /// part, [H, V, R].  Source: llama.cpp conversion/deepseek.py.
  void add_keys_and_values(const RowSource& source) {
    const AttentionConfig& mla = model_.config.layers.front().attention;
    const std::int64_t heads = model_.config.num_attention_heads;
    const std::int64_t head_rows = mla.qk_nope_head_dim + mla.v_head_dim;
    const auto name = [&](const char* part) {
      std::string joined = gguf_name(source.name).value_or("");
      return joined.replace(joined.find("attn_kv_b"), std::string_view("attn_kv_b").size(), part);
    };
    const StoredType key_type = matrix_type(model_.type, mla.qk_nope_head_dim);
    const auto keys = [&source, heads, head_rows, key_type, nope = mla.qk_nope_head_dim](const Put& put) {
      for (std::int64_t h = 0; h < heads; ++h) put(quantize(key_type, transposed(source, h * head_rows, nope)));
    };
    const StoredType value_type = matrix_type(model_.type, mla.kv_lora_rank);
    const auto values = [&source, heads, head_rows, value_type, mla](const Put& put) {
      std::vector<float> values_VR(static_cast<std::size_t>(mla.v_head_dim * mla.kv_lora_rank));
      for (std::int64_t h = 0; h < heads; ++h) {
        source.read_rows(h * head_rows + mla.qk_nope_head_dim, mla.v_head_dim, values_VR);
        put(quantize(value_type, values_VR));
      }
    };
    tensors_.push_back({name("attn_k_b"), key_type, {heads, mla.kv_lora_rank, mla.qk_nope_head_dim}, keys});
    tensors_.push_back({name("attn_v_b"), value_type, {heads, mla.v_head_dim, mla.kv_lora_rank}, values});
  }

  static std::vector<float> transposed(const RowSource& source, std::int64_t first_row, std::int64_t rows) {
    const auto width = static_cast<std::size_t>(row_length(source));
    const auto height = static_cast<std::size_t>(rows);
    std::vector<float> values(width * height);
    source.read_rows(first_row, rows, values);
    std::vector<float> result(values.size());
    for (std::size_t i = 0; i < height; ++i) {
      for (std::size_t j = 0; j < width; ++j) result[j * height + i] = values[i * width + j];
    }
    return result;
  }

  /// llama.cpp's qwen2moe, unlike the others, takes no head from the embedding. Source: src/models/qwen2moe.cpp.
  void add_head() {
    const RowSource& embedding = *sources_.at("model.embed_tokens.weight");
    const StoredType type = stored_type(embedding);
    const auto bytes = [&embedding, type](const Put& put) { put_rows(embedding, type, {}, put); };
    tensors_.push_back({"output.weight", type, embedding.shape, bytes});
  }

  void add_divisors(const RopeScaling& rope) {
    const std::vector<float> divisors =
        llama3_divisors(rope, {.theta = model_.config.rope_theta, .head_dim = model_.config.head_dim});
    const auto bytes = [divisors](const Put& put) { put(std::as_bytes(std::span(divisors))); };
    tensors_.push_back({"rope_freqs.weight", DType::F32, {std::ssize(divisors)}, bytes});
  }

  const GgufModel& model_;
  GgufArchitecture architecture_;
  std::unordered_map<std::string, const RowSource*> sources_;
  std::vector<GgufTensorSource> tensors_;
};

/// llama.cpp's number of the most common type.
std::uint32_t file_type(StoredType type) {
  if (type == StoredType(DType::F32)) return 0;
  if (type == StoredType(DType::F16)) return 1;
  if (type == StoredType(DType::BF16)) return 32;
  return type == StoredType(QuantType::Q8_0) ? 7 : 2;
}

GgufFields fields_of(const GgufModel& model, GgufArchitecture architecture) {
  constexpr std::uint32_t kQuantizationVersion = 2;
  GgufFields fields{{"general.architecture", gguf_architecture_name(architecture)},
                    {"general.type", std::string("model")},
                    {"general.name", model.name},
                    {"general.file_type", file_type(model.type)},
                    {"general.quantization_version", kQuantizationVersion}};
  for (auto& field : gguf_network_fields(architecture, model.config)) fields.push_back(std::move(field));
  if (model.tokenizer.tokenizer_json.empty()) return fields;
  for (auto& field : gguf_tokenizer_fields(model.tokenizer, model.config.vocab_size))
    fields.push_back(std::move(field));
  return fields;
}

}  // namespace

std::optional<ErrorParts> gguf_refusal(const ModelConfig& config) { return fit_gguf(config).refusal; }

WrittenFile write_gguf_model(const std::filesystem::path& path, const GgufModel& model, const Job& job,
                             const std::function<void(const std::filesystem::path&)>& verify) {
  const GgufFit fit = fit_gguf(model.config);
  if (fit.refusal) throw Error(*fit.refusal);
  GgufExport tensors(model, fit.architecture);
  return write_gguf(path, fields_of(model, fit.architecture), tensors.tensors(), job, verify);
}

}  // namespace lathe

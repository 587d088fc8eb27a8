#include "model/io/meta_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "model/data/error.h"
#include "model/data/json_object.h"

namespace lathe {

namespace {

// What dense Llama does not have: leaving it out would give another model.
constexpr std::array<std::string_view, 6> kUnsupported{"moe",       "moe_args",          "quantization_args",
                                                       "lora_args", "vision_chunk_size", "sliding_window"};
constexpr std::int64_t kLargestSize = std::int64_t{1} << 28;
constexpr std::int64_t kLlama3Vocabulary = 128'256;

class MetaConfig {
 public:
  MetaConfig(const nlohmann::json& params, const MetaSizes& sizes, const std::filesystem::path& path,
             std::vector<std::string>& warnings)
      : params_(params, path.string()), sizes_(sizes), path_(path), warnings_(warnings) {}

  nlohmann::json read() {
    for (const std::string_view key : kUnsupported) {
      if (!params_.has(std::string(key))) continue;
      fail({.what = "this is not a dense Llama",
            .got = text("the key \"", key, "\""),
            .expected = "Llama 1, 2, 3, 3.1, 3.2 or 3.3, text only and not quantised",
            .hint = "open the model's Hugging Face folder"});
    }
    const std::int64_t dim = size("dim");
    const std::int64_t heads = size("n_heads");
    check_intermediate(dim);
    nlohmann::json config = {{"architectures", {"LlamaForCausalLM"}},
                             {"model_type", "llama"},
                             {"hidden_act", "silu"},
                             {"hidden_size", dim},
                             {"intermediate_size", sizes_.intermediate_size},
                             {"num_hidden_layers", size("n_layers")},
                             {"num_attention_heads", heads},
                             {"num_key_value_heads", params_.integer("n_kv_heads", heads)},
                             {"rms_norm_eps", params_.number("norm_eps", 1e-5)},
                             {"rope_theta", params_.number("rope_theta", 10000.0)},
                             {"rope_scaling", rope_scaling(dim)},
                             {"max_position_embeddings", context()},
                             {"vocab_size", vocab_size()},
                             {"tie_word_embeddings", false}};
    add_special_ids(config);
    return config;
  }

 private:
  [[noreturn]] void fail(ErrorParts parts) const {
    parts.code = ErrorCode::Config;
    parts.where = path_.string();
    if (parts.hint.empty()) parts.hint = "params.json belongs to another model: download the folder again";
    throw Error(std::move(parts));
  }

  std::int64_t size(const std::string& key) {
    const std::int64_t value = params_.integer(key);
    if (value < 1 || value > kLargestSize) {
      fail({.what = text("\"", key, "\" is not a size"), .got = text(value), .expected = text("1 to ", kLargestSize)});
    }
    return value;
  }

  /// Meta computes the size of the feed-forward block from three numbers. Source: llama/model.py, FeedForward.
  void check_intermediate(std::int64_t dim) {
    const double multiplier = params_.number("ffn_dim_multiplier", 1.0);
    const std::int64_t multiple = params_.integer("multiple_of", 256);
    if (multiplier <= 0.0 || multiplier > 1024.0 || multiple < 1 || multiple > kLargestSize) {
      fail({.what = "the size of the feed-forward block cannot be computed",
            .got = text("ffn_dim_multiplier ", multiplier, " and multiple_of ", multiple),
            .expected = "positive numbers"});
    }
    const auto wanted = static_cast<std::int64_t>(multiplier * static_cast<double>(8 * dim / 3));
    const std::int64_t expected = (wanted + multiple - 1) / multiple * multiple;
    if (sizes_.intermediate_size == expected) return;
    fail({.what = "params.json and the tensors disagree on the size of the feed-forward block",
          .got = text("w1 has ", sizes_.intermediate_size, " rows"),
          .expected = text(expected, " by dim, ffn_dim_multiplier and multiple_of")});
  }

  /// -1 in Llama 1 and 2: what the tokenizer has, which the embedding has a row for each of.
  std::int64_t vocab_size() {
    const std::int64_t value = params_.integer("vocab_size", -1);
    if (value == -1 || value == sizes_.vocab_size) return sizes_.vocab_size;
    fail({.what = "params.json and the tensors disagree on the vocabulary",
          .got = text("an embedding of ", sizes_.vocab_size, " rows"),
          .expected = text("vocab_size ", value)});
  }

  bool is_llama3() const { return sizes_.vocab_size >= kLlama3Vocabulary; }
  bool is_scaled() { return params_.boolean("use_scaled_rope", false); }

  /// Llama 3.1 divides by 8, the small models of 3.2 by 32; not all of Meta's files say so.
  nlohmann::json rope_scaling(std::int64_t dim) {
    if (!is_scaled()) return nullptr;
    constexpr std::int64_t kSmallestLlama31 = 4096;
    const double factor = params_.number("rope_scaling_factor", dim < kSmallestLlama31 ? 32.0 : 8.0);
    if (!params_.has("rope_scaling_factor")) {
      warnings_.push_back(text("params.json does not say by how much RoPE is scaled; ", factor, " was taken, as Llama ",
                               dim < kSmallestLlama31 ? "3.2" : "3.1", " of this size has"));
    }
    return {{"rope_type", "llama3"},
            {"factor", factor},
            {"low_freq_factor", 1.0},
            {"high_freq_factor", 4.0},
            {"original_max_position_embeddings", 8192}};
  }

  /// params.json is silent on it: what the version that it looks like was trained with.
  std::int64_t context() {
    constexpr double kCodeLlamaTheta = 1e6;
    std::int64_t context = params_.number("norm_eps", 1e-5) < 1e-5 ? 2048 : 4096;  // Llama 1, 2
    if (params_.number("rope_theta", 10000.0) == kCodeLlamaTheta) context = 16384;
    if (is_llama3()) context = 8192;
    if (is_scaled()) context = 131'072;
    warnings_.push_back(text("params.json does not say the length of the context; ", context, " was taken"));
    return context;
  }

  void add_special_ids(nlohmann::json& config) const {
    config["bos_token_id"] = is_llama3() ? 128'000 : 1;
    if (is_llama3()) {
      config["eos_token_id"] = {128'001, 128'008, 128'009};
    } else {
      config["eos_token_id"] = 2;
    }
  }

  JsonObject params_;
  const MetaSizes& sizes_;
  const std::filesystem::path& path_;
  std::vector<std::string>& warnings_;
};

}  // namespace

nlohmann::json config_from_meta(const nlohmann::json& params, const MetaSizes& sizes, const std::filesystem::path& path,
                                std::vector<std::string>& warnings) {
  return MetaConfig(params, sizes, path, warnings).read();
}

}  // namespace lathe

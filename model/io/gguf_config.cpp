#include "model/io/gguf_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

#include "model/data/error.h"
#include "model/io/dequantize.h"

namespace lathe {

namespace {

const GgufTensor* find_tensor(const GgufFile& file, std::string_view name) {
  const auto found = std::find_if(file.tensors().begin(), file.tensors().end(),
                                  [&](const GgufTensor& tensor) { return tensor.name == name; });
  return found == file.tensors().end() ? nullptr : &*found;
}

std::int64_t required(const GgufFile& file, std::string_view key) {
  const auto value = file.integer(key);
  check(value.has_value(), "[gguf] the key \"", key, "\" is missing; file: ", file.path().string());
  return *value;
}

/// The shortest decimal that means the same f32: files store 1e-5 as f32, and 1e-05 is what its author wrote.
double as_written(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<float>(value)).ptr;
  double result = value;
  std::from_chars(digits.data(), end, result);
  return result;
}

/// The unscaled RoPE: a pair of dims of a head turns with each of head_dim / 2 frequencies.
struct Rotation {
  double theta = 0.0;
  std::int64_t head_dim = 0;
};

/// By how much Llama 3 divides the frequency of pair `i`. Source: transformers modeling_rope_utils.py, llama3.
double llama3_divisor(double frequency, double factor, double original_context) {
  constexpr double kLow = 1.0;
  constexpr double kHigh = 4.0;
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  if (wavelength < original_context / kHigh) return 1.0;
  if (wavelength > original_context / kLow) return factor;
  const double smooth = (original_context / wavelength - kLow) / (kHigh - kLow);
  return 1.0 / ((1.0 - smooth) / factor + smooth);
}

/// GGUF keeps Llama 3's scaling as one divisor a frequency. The parameters are found again by trying those that Meta
/// uses; a file that they do not explain is refused rather than read wrongly.
nlohmann::json llama3_scaling(const GgufFile& file, const GgufTensor& divisors, const Rotation& rotation) {
  const std::vector<std::int64_t> expected_shape{rotation.head_dim / 2};
  check(divisors.type == StoredType(DType::F32) && divisors.shape == expected_shape && rotation.head_dim > 1,
        "[gguf] rope_freqs.weight is ", type_name(divisors.type), " ", shape_text(divisors.shape),
        ", expected one F32 for each of the head's pairs, ", shape_text(expected_shape),
        "; file: ", file.path().string());
  std::vector<float> values(divisors.bytes.size() / sizeof(float));
  dequantize(divisors.type, divisors.bytes, values);
  const double factor = *std::max_element(values.begin(), values.end());
  const std::int64_t context = file.integer("llama.rope.scaling.original_context_length").value_or(8192);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double frequency = std::pow(rotation.theta, -static_cast<double>(i) / static_cast<double>(values.size()));
    const double expected = llama3_divisor(frequency, factor, static_cast<double>(context));
    check(std::abs(values[i] - expected) <= 1e-3 * expected, "[gguf] rope_freqs.weight[", i, "] is ", values[i],
          ", but Llama 3's scaling by ", factor, " of a context of ", context, " gives ", expected,
          "; this scaling is not supported; file: ", file.path().string());
  }
  if (factor == 1.0) return nullptr;
  return {{"rope_type", "llama3"},
          {"factor", factor},
          {"low_freq_factor", 1.0},
          {"high_freq_factor", 4.0},
          {"original_max_position_embeddings", context}};
}

nlohmann::json rope_scaling(const GgufFile& file, const Rotation& rotation) {
  if (const GgufTensor* divisors = find_tensor(file, "rope_freqs.weight")) {
    return llama3_scaling(file, *divisors, rotation);
  }
  const auto legacy = file.number("llama.rope.scale_linear");
  const std::string_view type = file.string("llama.rope.scaling.type").value_or(legacy ? "linear" : "none");
  if (type == "none") return nullptr;
  check(type == "linear", "[gguf] rope scaling \"", type,
        "\" is not supported; supported are none, linear and llama3; file: ", file.path().string());
  const auto factor = file.number("llama.rope.scaling.factor").value_or(legacy.value_or(1.0));
  return {{"rope_type", "linear"}, {"factor", as_written(factor)}};
}

/// The heads' size, once it is clear that queries, keys, values and their rotated part all have it.
std::int64_t head_dim(const GgufFile& file, std::int64_t hidden, std::int64_t heads) {
  check(heads > 0, "[gguf] llama.attention.head_count is ", heads, "; file: ", file.path().string());
  const auto size = file.integer("llama.attention.key_length").value_or(hidden / heads);
  for (const char* key : {"llama.attention.value_length", "llama.rope.dimension_count"}) {
    const auto other = file.integer(key).value_or(size);
    check(other == size, "[gguf] ", key, " is ", other, ", expected the head size ", size,
          "; file: ", file.path().string());
  }
  return size;
}

void add_special_ids(const GgufFile& file, nlohmann::json& config) {
  if (const auto bos = file.integer("tokenizer.ggml.bos_token_id")) config["bos_token_id"] = *bos;
  std::vector<std::int64_t> ends;
  for (const char* key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const auto id = file.integer(key);
    if (id && std::find(ends.begin(), ends.end(), *id) == ends.end()) ends.push_back(*id);
  }
  if (ends.size() == 1) config["eos_token_id"] = ends.front();
  if (ends.size() > 1) config["eos_token_id"] = ends;
}

std::int64_t vocab_size(const GgufFile& file) {
  // The table's rows decide: some files pad the table beyond the tokenizer's vocabulary.
  const GgufTensor* table = find_tensor(file, "token_embd.weight");
  check(table && table->shape.size() == 2,
        "[gguf] there is no two-dimensional token_embd.weight; file: ", file.path().string());
  return table->shape[0];
}

}  // namespace

nlohmann::json config_from_gguf(const GgufFile& file) {
  const std::string_view architecture = file.string("general.architecture").value_or("");
  check(architecture == "llama", "[gguf] the architecture is \"", architecture,
        "\"; supported is llama; file: ", file.path().string());
  check(file.integer("llama.expert_count").value_or(0) == 0,
        "[gguf] the model is a mixture of experts, which Lathe cannot read from GGUF; open its Hugging Face folder; "
        "file: ",
        file.path().string());
  check(file.integer("split.count").value_or(0) <= 1,
        "[gguf] this is one part of a model split over several files; merge them with llama-gguf-split first; file: ",
        file.path().string());
  const std::int64_t hidden = required(file, "llama.embedding_length");
  const std::int64_t heads = required(file, "llama.attention.head_count");
  const auto eps = file.number("llama.attention.layer_norm_rms_epsilon");
  check(eps.has_value(),
        "[gguf] the key \"llama.attention.layer_norm_rms_epsilon\" is missing; file: ", file.path().string());
  const Rotation rotation{.theta = as_written(file.number("llama.rope.freq_base").value_or(10000.0)),
                          .head_dim = head_dim(file, hidden, heads)};
  nlohmann::json config = {{"architectures", {"LlamaForCausalLM"}},
                           {"model_type", "llama"},
                           {"hidden_act", "silu"},
                           {"hidden_size", hidden},
                           {"intermediate_size", required(file, "llama.feed_forward_length")},
                           {"num_hidden_layers", required(file, "llama.block_count")},
                           {"num_attention_heads", heads},
                           {"num_key_value_heads", file.integer("llama.attention.head_count_kv").value_or(heads)},
                           {"head_dim", rotation.head_dim},
                           {"max_position_embeddings", required(file, "llama.context_length")},
                           {"rms_norm_eps", as_written(*eps)},
                           {"rope_theta", rotation.theta},
                           {"rope_scaling", rope_scaling(file, rotation)},
                           {"vocab_size", vocab_size(file)},
                           {"tie_word_embeddings", find_tensor(file, "output.weight") == nullptr},
                           {"attention_bias", find_tensor(file, "blk.0.attn_q.bias") != nullptr},
                           {"mlp_bias", find_tensor(file, "blk.0.ffn_up.bias") != nullptr}};
  add_special_ids(file, config);
  return config;
}

}  // namespace lathe

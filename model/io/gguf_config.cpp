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

[[noreturn]] void refuse(const GgufFile& file, ErrorCode code, std::string what, std::string got,
                         std::string expected) {
  throw Error({.code = code,
               .what = std::move(what),
               .where = file.path().string(),
               .got = std::move(got),
               .expected = std::move(expected),
               .hint = "convert the model to GGUF again with a current converter, or open its Hugging Face folder"});
}

std::int64_t required(const GgufFile& file, std::string_view key) {
  const auto value = file.integer(key);
  if (!value)
    refuse(file, ErrorCode::Config, text("the key \"", key, "\" is missing"), "no such key", "a whole number");
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
  if (divisors.type != StoredType(DType::F32) || divisors.shape != expected_shape || rotation.head_dim < 2) {
    refuse(file, ErrorCode::Config, "rope_freqs.weight does not fit the heads",
           text(type_name(divisors.type), " ", shape_text(divisors.shape)),
           text("one F32 for each of a head's pairs, ", shape_text(expected_shape)));
  }
  std::vector<float> values(divisors.bytes.size() / sizeof(float));
  dequantize(divisors.type, divisors.bytes, values);
  const double factor = *std::max_element(values.begin(), values.end());
  const std::int64_t context = file.integer("llama.rope.scaling.original_context_length").value_or(8192);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double frequency = std::pow(rotation.theta, -static_cast<double>(i) / static_cast<double>(values.size()));
    const double expected = llama3_divisor(frequency, factor, static_cast<double>(context));
    if (!(std::abs(values[i] - expected) <= 1e-3 * expected)) {
      refuse(file, ErrorCode::Config, "this scaling of RoPE is not supported",
             text("rope_freqs.weight[", i, "] = ", values[i]),
             text(expected, ", as Llama 3 scales a context of ", context, " by ", factor));
    }
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
  if (type != "linear") {
    refuse(file, ErrorCode::Config, "this scaling of RoPE is not supported", text("\"", type, "\""),
           "none, linear or llama3");
  }
  const auto factor = file.number("llama.rope.scaling.factor").value_or(legacy.value_or(1.0));
  return {{"rope_type", "linear"}, {"factor", as_written(factor)}};
}

/// The heads' size, once it is clear that queries, keys, values and their rotated part all have it.
std::int64_t head_dim(const GgufFile& file, std::int64_t hidden, std::int64_t heads) {
  if (heads <= 0) refuse(file, ErrorCode::Config, "llama.attention.head_count cannot be", text(heads), "1 or more");
  const auto size = file.integer("llama.attention.key_length").value_or(hidden / heads);
  for (const char* key : {"llama.attention.value_length", "llama.rope.dimension_count"}) {
    const auto other = file.integer(key).value_or(size);
    if (other != size)
      refuse(file, ErrorCode::Config, text(key, " differs from the head size"), text(other), text(size));
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
  if (table == nullptr || table->shape.size() != 2) {
    refuse(file, ErrorCode::Config, "there is no table of embeddings",
           table ? shape_text(table->shape) : "no token_embd.weight", "token_embd.weight [vocab_size, hidden_size]");
  }
  return table->shape[0];
}

}  // namespace

nlohmann::json config_from_gguf(const GgufFile& file) {
  const std::string_view architecture = file.string("general.architecture").value_or("");
  if (architecture != "llama") {
    refuse(file, ErrorCode::Config, "this architecture is not supported", text("\"", architecture, "\""), "\"llama\"");
  }
  if (file.integer("llama.expert_count").value_or(0) != 0) {
    refuse(file, ErrorCode::Config, "a mixture of experts cannot be read from GGUF", "llama.expert_count",
           "a dense model");
  }
  if (const auto parts = file.integer("split.count").value_or(0); parts > 1) {
    refuse(file, ErrorCode::Shard, "this is one part of a split model", text(parts, " parts"), "a whole model");
  }
  const std::int64_t hidden = required(file, "llama.embedding_length");
  const std::int64_t heads = required(file, "llama.attention.head_count");
  const auto eps = file.number("llama.attention.layer_norm_rms_epsilon");
  if (!eps) {
    refuse(file, ErrorCode::Config, "the key \"llama.attention.layer_norm_rms_epsilon\" is missing", "no such key",
           "a number");
  }
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

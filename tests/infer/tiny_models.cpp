#include "tests/infer/tiny_models.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

namespace lathe::test {
namespace {

constexpr std::int64_t kHidden = 32, kIntermediate = 48, kHeads = 4, kKeyHeads = 2, kHeadDim = 8, kVocabulary = 257;
constexpr std::int64_t kRank = 12, kNope = 6, kRope = 4, kValue = 5, kExperts = 4, kExpertSize = 24;

class Weights {
 public:
  explicit Weights(std::uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

  at::Tensor matrix(at::IntArrayRef shape, double gain = 1.0) {
    return at::randn(shape, generator_).mul_(gain / std::sqrt(static_cast<double>(shape.back())));
  }
  Linear linear(std::int64_t rows, std::int64_t columns) { return {matrix({rows, columns}), {}}; }

 private:
  at::Generator generator_;
};

LayerConfig layer_config(const TinyLayer& kinds) {
  LayerConfig config;
  if (kinds.attention == "mla") {
    config.attention = {.kind = AttentionKind::Mla,
                        .kv_lora_rank = kRank,
                        .q_lora_rank = 0,
                        .qk_nope_head_dim = kNope,
                        .qk_rope_head_dim = kRope,
                        .v_head_dim = kValue,
                        .latent_norm = true,
                        .rope_pairs = {0, 2}};
  }
  if (kinds.feed_forward == "moe") {
    config.feed_forward = {.kind = FeedForwardKind::Moe,
                           .num_experts = kExperts,
                           .num_experts_per_tok = 2,
                           .moe_intermediate_size = kExpertSize};
  }
  return config;
}

LayerPtr make_layer(const TinyLayer& kinds, Weights& weights) {
  auto layer = std::make_shared<Layer>();
  layer->config = layer_config(kinds);
  layer->attention_norm_D = at::ones({kHidden});
  layer->feed_forward_norm_D = at::ones({kHidden});
  if (kinds.attention == "mla") {
    layer->attention = LatentAttention{.q_a = {},
                                       .q_a_norm_Q = {},
                                       .q = weights.linear(kHeads * (kNope + kRope), kHidden),
                                       .kv_a = weights.linear(kRank + kRope, kHidden),
                                       .kv_a_norm_R = at::ones({kRank}),
                                       .kv_b = weights.linear(kHeads * (kNope + kValue), kRank),
                                       .o = weights.linear(kHidden, kHeads * kValue)};
  } else {
    layer->attention = GroupedQueryAttention{.q = weights.linear(kHeads * kHeadDim, kHidden),
                                             .k = weights.linear(kKeyHeads * kHeadDim, kHidden),
                                             .v = weights.linear(kKeyHeads * kHeadDim, kHidden),
                                             .o = weights.linear(kHidden, kHeads * kHeadDim)};
  }
  if (kinds.feed_forward == "moe") {
    layer->feed_forward = MoeFeedForward{.router_ED = weights.matrix({kExperts, kHidden}),
                                         .correction_bias_E = {},
                                         .experts_gate_up_E2FD = weights.matrix({kExperts, 2 * kExpertSize, kHidden}),
                                         .experts_down_EDF = weights.matrix({kExperts, kHidden, kExpertSize}),
                                         .shared = {},
                                         .shared_gate_1D = {}};
  } else {
    layer->feed_forward = DenseFeedForward{.gate = weights.linear(kIntermediate, kHidden),
                                           .up = weights.linear(kIntermediate, kHidden),
                                           .down = weights.linear(kHidden, kIntermediate)};
  }
  return layer;
}

/// GPT-2's printable stand-ins: printable Latin-1 bytes are themselves, the others follow from U+0100 on.
std::vector<std::string> byte_spellings() {
  std::vector<std::string> spellings;
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    const int code = printable ? byte : next++;
    std::string spelling;
    if (code < 0x80) {
      spelling = static_cast<char>(code);
    } else {
      spelling = {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
    }
    spellings.push_back(spelling);
  }
  return spellings;
}

}  // namespace

Model tiny_model(const std::vector<TinyLayer>& layers, std::uint64_t seed) {
  Weights weights(seed);
  Model model;
  ModelConfig& config = model.config;
  config.vocab_size = kVocabulary;
  config.hidden_size = kHidden;
  config.intermediate_size = kIntermediate;
  config.num_attention_heads = kHeads;
  config.num_key_value_heads = kKeyHeads;
  config.head_dim = kHeadDim;
  config.max_position_embeddings = 2048;
  config.eos_token_ids = {256};
  model.embed_VD = weights.matrix({kVocabulary, kHidden}, std::sqrt(double{kHidden}));
  for (const TinyLayer& kinds : layers) {
    model.layers.push_back(make_layer(kinds, weights));
    config.layers.push_back(model.layers.back()->config);
  }
  model.norm_D = at::ones({kHidden});
  model.lm_head_VD = weights.matrix({kVocabulary, kHidden}, 3.0);
  return model;
}

Model tiny_mixed_model(std::uint64_t seed) {
  return tiny_model({{"gqa", "dense"}, {"mla", "moe"}, {"gqa", "moe"}, {"mla", "dense"}}, seed);
}

Tokenizer byte_tokenizer() {
  nlohmann::json vocabulary = nlohmann::json::object();
  const auto spellings = byte_spellings();
  for (std::size_t byte = 0; byte < spellings.size(); ++byte) vocabulary[spellings[byte]] = byte;
  const nlohmann::json end = {{"id", 256},       {"content", "<|end|>"}, {"single_word", false}, {"lstrip", false},
                              {"rstrip", false}, {"normalized", false},  {"special", true}};
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const nlohmann::json tokenizer = {{"version", "1.0"},
                                    {"truncation", nullptr},
                                    {"padding", nullptr},
                                    {"added_tokens", {end}},
                                    {"normalizer", nullptr},
                                    {"pre_tokenizer", byte_level},
                                    {"post_processor", nullptr},
                                    {"decoder", byte_level},
                                    {"model",
                                     {{"type", "BPE"},
                                      {"dropout", nullptr},
                                      {"unk_token", nullptr},
                                      {"continuing_subword_prefix", nullptr},
                                      {"end_of_word_suffix", nullptr},
                                      {"fuse_unk", false},
                                      {"byte_fallback", false},
                                      {"ignore_merges", false},
                                      {"vocab", vocabulary},
                                      {"merges", nlohmann::json::array()}}}};
  const nlohmann::json config = {{"eos_token", "<|end|>"}, {"tokenizer_class", "PreTrainedTokenizerFast"}};
  return Tokenizer::from_files({.tokenizer_json = tokenizer.dump(),
                                .tokenizer_config_json = config.dump(),
                                .chat_template_jinja = "",
                                .generation_config_json = ""},
                               "byte tokenizer of the tests");
}

std::vector<std::int32_t> random_ids(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<std::int32_t> ids(count);
  for (std::int32_t& id : ids) id = static_cast<std::int32_t>(engine() % 256);
  return ids;
}

}  // namespace lathe::test

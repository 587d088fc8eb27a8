#include "model/io/gguf_config.h"

#include <algorithm>
#include <array>

#include "model/data/error.h"
#include "model/io/gguf_hparams.h"
#include "model/io/gguf_rope.h"

namespace lathe {

namespace {

using nlohmann::json;

/// The heads' size, once it is clear that queries, keys, values and their rotated part all have it.
std::int64_t head_dim(const GgufHparams& hparams, std::int64_t hidden, std::int64_t heads) {
  const auto size = hparams.integer("attention.key_length").value_or(hidden / heads);
  for (const char* key : {"attention.value_length", "rope.dimension_count"}) {
    const auto other = hparams.integer(key).value_or(size);
    if (other != size) {
      hparams.refuse(ErrorCode::Config, text(hparams.full(key), " differs from the head size"), text(other),
                     text(size));
    }
  }
  return size;
}

void add_special_ids(const GgufFile& file, json& config) {
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

std::int64_t vocab_size(const GgufHparams& hparams) {
  // The table's rows decide: some files pad the table beyond the tokenizer's vocabulary.
  const GgufTensor* table = hparams.tensor("token_embd.weight");
  if (table == nullptr || table->shape.size() != 2) {
    hparams.refuse(ErrorCode::Config, "there is no table of embeddings",
                   table ? shape_text(table->shape) : "no token_embd.weight",
                   "token_embd.weight [vocab_size, hidden_size]");
  }
  return table->shape[0];
}

/// What all families have.
json common_config(const GgufHparams& hparams) {
  const std::int64_t heads = hparams.required("attention.head_count");
  if (heads <= 0) {
    hparams.refuse(ErrorCode::Config, text(hparams.full("attention.head_count"), " cannot be"), text(heads),
                   "1 or more");
  }
  json config = {{"hidden_act", "silu"},
                 {"hidden_size", hparams.required("embedding_length")},
                 {"num_hidden_layers", hparams.required("block_count")},
                 {"num_attention_heads", heads},
                 {"num_key_value_heads", hparams.integer("attention.head_count_kv").value_or(heads)},
                 {"max_position_embeddings", hparams.required("context_length")},
                 {"rms_norm_eps", hparams.required_number("attention.layer_norm_rms_epsilon")},
                 {"rope_theta", hparams.number("rope.freq_base").value_or(10000.0)},
                 {"vocab_size", vocab_size(hparams)},
                 {"tie_word_embeddings", !hparams.has_tensor("output.weight")}};
  add_special_ids(hparams.file(), config);
  return config;
}

void add_heads(const GgufHparams& hparams, json& config) {
  config["head_dim"] = head_dim(hparams, config["hidden_size"], config["num_attention_heads"]);
  config["rope_scaling"] =
      rope_scaling_from_gguf(hparams, {.theta = config["rope_theta"], .head_dim = config["head_dim"]});
}

void add_family(json& config, const char* model_type, const char* architecture) {
  config["model_type"] = model_type;
  config["architectures"] = {architecture};
}

void read_llama(const GgufHparams& hparams, json& config) {
  add_heads(hparams, config);
  config["intermediate_size"] = hparams.required("feed_forward_length");
  if (const auto experts = hparams.integer("expert_count").value_or(0); experts != 0) {
    add_family(config, "mixtral", "MixtralForCausalLM");
    config["num_local_experts"] = experts;
    config["num_experts_per_tok"] = hparams.required("expert_used_count");
    if (const auto width = hparams.integer("expert_feed_forward_length")) config["intermediate_size"] = *width;
    return;
  }
  if (const auto window = hparams.integer("attention.sliding_window").value_or(0); window != 0) {
    add_family(config, "mistral", "MistralForCausalLM");
    config["sliding_window"] = window;
    return;
  }
  add_family(config, "llama", "LlamaForCausalLM");
  config["attention_bias"] = hparams.has_tensor("blk.0.attn_q.bias");
  config["mlp_bias"] = hparams.has_tensor("blk.0.ffn_up.bias");
}

void read_qwen2(const GgufHparams& hparams, json& config) {
  add_family(config, "qwen2", "Qwen2ForCausalLM");
  add_heads(hparams, config);
  config["intermediate_size"] = hparams.required("feed_forward_length");
}

void add_qwen_experts(const GgufHparams& hparams, json& config) {
  add_heads(hparams, config);
  config["num_experts"] = hparams.required("expert_count");
  config["num_experts_per_tok"] = hparams.required("expert_used_count");
  config["moe_intermediate_size"] = hparams.required("expert_feed_forward_length");
  config["intermediate_size"] = hparams.integer("feed_forward_length").value_or(config["moe_intermediate_size"]);
  config["decoder_sparse_step"] = 1;
}

// llama.cpp leaves the weights of Qwen2's chosen experts as they are and renormalises those of Qwen3.
void read_qwen2_moe(const GgufHparams& hparams, json& config) {
  add_family(config, "qwen2_moe", "Qwen2MoeForCausalLM");
  add_qwen_experts(hparams, config);
  config["shared_expert_intermediate_size"] = hparams.required("expert_shared_feed_forward_length");
  config["norm_topk_prob"] = false;
  config["qkv_bias"] = hparams.has_tensor("blk.0.attn_q.bias");
}

void read_qwen3_moe(const GgufHparams& hparams, json& config) {
  add_family(config, "qwen3_moe", "Qwen3MoeForCausalLM");
  add_qwen_experts(hparams, config);
  config["norm_topk_prob"] = true;
}

/// Current files describe the latent cache as one key head and keep the heads' sizes under keys of their own.
void add_latent_attention(const GgufHparams& hparams, json& config) {
  const std::int64_t head = hparams.integer("attention.key_length_mla").value_or(0);
  const std::int64_t rope = hparams.required("rope.dimension_count");
  const std::int64_t key = head != 0 ? head : hparams.required("attention.key_length");
  const std::int64_t value =
      head != 0 ? hparams.required("attention.value_length_mla") : hparams.required("attention.value_length");
  if (rope <= 0 || rope >= key) {
    hparams.refuse(ErrorCode::Config, "the rotated part of a head does not fit in it", text(rope),
                   text("1 to ", key - 1));
  }
  config["num_key_value_heads"] = config["num_attention_heads"];
  config["kv_lora_rank"] = hparams.required("attention.kv_lora_rank");
  if (const auto rank = hparams.integer("attention.q_lora_rank").value_or(0)) config["q_lora_rank"] = rank;
  config["qk_nope_head_dim"] = key - rope;
  config["qk_rope_head_dim"] = rope;
  config["v_head_dim"] = value;
  config["rope_interleave"] = true;
  config["rope_scaling"] = rope_scaling_from_gguf(hparams, {.theta = config["rope_theta"], .head_dim = rope});
}

/// Whether the router is DeepSeek-V3's; files older than the key are of DeepSeek-V2.
bool has_sigmoid_router(const GgufHparams& hparams) {
  constexpr std::int64_t kSoftmax = 1, kSigmoid = 2;
  const auto function = hparams.integer("expert_gating_func").value_or(kSoftmax);
  if (function != kSoftmax && function != kSigmoid) {
    hparams.refuse(ErrorCode::Config, "this kind of router is not supported", text("expert_gating_func ", function),
                   "1 (softmax) or 2 (sigmoid)");
  }
  return function == kSigmoid;
}

void read_deepseek2(const GgufHparams& hparams, json& config) {
  add_latent_attention(hparams, config);
  const std::int64_t experts = hparams.integer("expert_count").value_or(0);
  const std::int64_t dense = experts == 0 ? config["num_hidden_layers"].get<std::int64_t>()
                                          : hparams.integer("leading_dense_block_count").value_or(0);
  config["first_k_dense_replace"] = dense;
  config["n_routed_experts"] = std::max<std::int64_t>(experts, 1);
  config["num_experts_per_tok"] = experts == 0 ? 1 : hparams.required("expert_used_count");
  config["n_shared_experts"] = hparams.integer("expert_shared_count").value_or(0);
  config["moe_intermediate_size"] = hparams.required("expert_feed_forward_length");
  config["intermediate_size"] = hparams.integer("feed_forward_length").value_or(config["moe_intermediate_size"]);
  config["routed_scaling_factor"] = hparams.number("expert_weights_scale").value_or(1.0);
  config["norm_topk_prob"] = hparams.boolean("expert_weights_norm").value_or(false);
  const std::int64_t groups = hparams.integer("expert_group_count").value_or(1);
  config["n_group"] = std::max<std::int64_t>(groups, 1);
  config["topk_group"] = std::max<std::int64_t>(hparams.integer("expert_group_used_count").value_or(1), 1);
  if (experts == 0 || has_sigmoid_router(hparams)) {
    add_family(config, "deepseek_v3", "DeepseekV3ForCausalLM");
  } else {
    add_family(config, "deepseek_v2", "DeepseekV2ForCausalLM");
    config["topk_method"] = groups > 1 ? "group_limited_greedy" : "greedy";
  }
}

struct Architecture {
  std::string_view name;
  void (*read)(const GgufHparams& hparams, json& config);
};

constexpr std::array<Architecture, 5> kArchitectures{{{"llama", read_llama},
                                                      {"qwen2", read_qwen2},
                                                      {"qwen2moe", read_qwen2_moe},
                                                      {"qwen3moe", read_qwen3_moe},
                                                      {"deepseek2", read_deepseek2}}};

}  // namespace

json config_from_gguf(const GgufParts& parts) {
  const GgufHparams hparams(parts);
  const auto* found = std::ranges::find(kArchitectures, hparams.architecture(), &Architecture::name);
  if (found == kArchitectures.end()) {
    std::string supported;
    for (const Architecture& known : kArchitectures) supported += text(supported.empty() ? "" : ", ", known.name);
    hparams.refuse(ErrorCode::Config, "this architecture is not supported", text("\"", hparams.architecture(), "\""),
                   supported);
  }
  json config = common_config(hparams);
  found->read(hparams, config);
  return config;
}

}  // namespace lathe

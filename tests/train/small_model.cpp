#include "tests/train/small_model.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>

#include <stdexcept>

#include "model/nn/names.h"
#include "model/train/init.h"

namespace lathe {
namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.vocab_size = 97;
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 8;
  config.max_position_embeddings = 128;
  config.tie_word_embeddings = true;
  config.layers.resize(3);
  return config;
}

}  // namespace

ModelPtr small_model(RouterKind router) {
  ModelConfig config = small_config();
  AttentionConfig& mla = config.layers[1].attention;
  mla.kind = AttentionKind::Mla;
  mla.kv_lora_rank = 12;
  mla.qk_nope_head_dim = 4;
  mla.qk_rope_head_dim = 4;
  mla.v_head_dim = 8;
  mla.rope_pairs = {0, 2};
  FeedForwardConfig& moe = config.layers[2].feed_forward;
  moe.kind = FeedForwardKind::Moe;
  moe.num_experts = 4;
  moe.num_experts_per_tok = 2;
  moe.moe_intermediate_size = 24;
  moe.router = router;
  return std::make_shared<const Model>(init_model(config, 7));
}

ModelPtr small_dense_model() { return std::make_shared<const Model>(init_model(small_config(), 7)); }

at::Tensor small_text() {
  at::Tensor ids_N = at::empty({3000}, at::kLong);
  std::int64_t* id = ids_N.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < 3000; ++i) id[i] = (7 * i + i / 500) % 97;
  return ids_N;
}

TrainSettings small_settings() {
  TrainSettings settings;
  settings.steps = 20;
  settings.seq_len = 32;
  settings.batch = 2;
  settings.lr = 3e-3;
  settings.warmup_steps = 2;
  settings.precision = TrainPrecision::F32;
  settings.seed = 5;
  return settings;
}

at::Tensor weight(const Model& model, const std::string& name) {
  for (const NamedTensor& named : model_tensors(model)) {
    if (named.name == name) return named.tensor;
  }
  throw std::out_of_range(name);
}

std::vector<std::string> changed_weights(const Model& before, const Model& after) {
  std::vector<std::string> changed;
  const std::vector<NamedTensor> old = model_tensors(before), now = model_tensors(after);
  for (std::size_t i = 0; i < old.size(); ++i) {
    if (!at::equal(old[i].tensor, now[i].tensor)) changed.push_back(old[i].name);
  }
  return changed;
}

}  // namespace lathe

#include "model/data/sizes.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

ModelConfig smollm2() {
  ModelConfig config;
  config.vocab_size = 49152;
  config.hidden_size = 576;
  config.intermediate_size = 1536;
  config.num_attention_heads = 9;
  config.num_key_value_heads = 3;
  config.head_dim = 64;
  config.tie_word_embeddings = true;
  config.layers.resize(30);
  return config;
}

TEST(Sizes, OfSmolLm2AreThePublishedOnes) {
  const Sizes sizes = sizes_of(smollm2());

  EXPECT_EQ(sizes.params, 134515008);
  EXPECT_EQ(sizes.active_params, sizes.params);
  EXPECT_EQ(sizes.kv_values_per_token, 30 * 2 * 3 * 64);
}

TEST(Sizes, OfLlama31With8BillionAreThePublishedOnes) {
  ModelConfig config;
  config.vocab_size = 128256;
  config.hidden_size = 4096;
  config.intermediate_size = 14336;
  config.num_attention_heads = 32;
  config.num_key_value_heads = 8;
  config.head_dim = 128;
  config.layers.resize(32);

  EXPECT_EQ(sizes_of(config).params, 8030261248);
}

// Mixtral-8x7B: 46,702,792,704 parameters, 12,879,925,248 of them active (Hugging Face's and Mistral's own counts).
TEST(Sizes, OfMixtralAreThePublishedOnes) {
  ModelConfig config;
  config.vocab_size = 32000;
  config.hidden_size = 4096;
  config.intermediate_size = 14336;
  config.num_attention_heads = 32;
  config.num_key_value_heads = 8;
  config.head_dim = 128;
  config.layers.resize(32);
  for (LayerConfig& layer : config.layers) {
    layer.feed_forward = {
        .kind = FeedForwardKind::Moe, .num_experts = 8, .num_experts_per_tok = 2, .moe_intermediate_size = 14336};
  }

  EXPECT_EQ(sizes_of(config).params, 46702792704);
  EXPECT_EQ(sizes_of(config).active_params, 12879925248);
}

// DeepSeek-V2-Lite's attention: no query factors, latent 512, 16 heads of 128 + 64, values 128.
TEST(Sizes, OfDeepSeekLatentAttentionAreItsMatrices) {
  ModelConfig config = smollm2();
  config.hidden_size = 2048;
  config.num_attention_heads = 16;
  const AttentionConfig mla{.kind = AttentionKind::Mla,
                            .kv_lora_rank = 512,
                            .qk_nope_head_dim = 128,
                            .qk_rope_head_dim = 64,
                            .v_head_dim = 128,
                            .latent_norm = true,
                            .rope_pairs = std::vector<std::int64_t>(32)};

  EXPECT_EQ(attention_params(config, mla),
            16 * 192 * 2048 + (512 + 64) * 2048 + 512 + 16 * 256 * 512 + 2048 * 16 * 128);
  EXPECT_EQ(kv_values_per_token(config, mla), 576);
}

TEST(Sizes, OfASharedExpertCountOnceAndAlwaysActive) {
  const ModelConfig config = smollm2();
  FeedForwardConfig moe{
      .kind = FeedForwardKind::Moe, .num_experts = 8, .num_experts_per_tok = 2, .moe_intermediate_size = 100};
  const auto total = feed_forward_params(config, moe);
  const auto active = active_feed_forward_params(config, moe);

  moe.shared_expert_intermediate_size = 50;
  moe.shared_expert_gate = true;

  EXPECT_EQ(feed_forward_params(config, moe) - total, 3 * 576 * 50 + 576);
  EXPECT_EQ(active_feed_forward_params(config, moe) - active, 3 * 576 * 50 + 576);
}

}  // namespace
}  // namespace lathe

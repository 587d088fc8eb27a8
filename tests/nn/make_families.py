"""Saves a tiny random model of every family that Lathe opens, as transformers saves it, with the logits that it gives.

    make_families.py OUT

OUT/<case>/ gets config.json and the weights, OUT/<case>.safetensors "ids" and "logits".
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    DeepseekV2Config,
    DeepseekV3Config,
    Glm4MoeLiteConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3MoeConfig,
)

TOKENS = 14
COMMON = dict(
    vocab_size=48,
    hidden_size=32,
    intermediate_size=24,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    rms_norm_eps=1e-5,
    tie_word_embeddings=False,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=None,
)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)
MLA = dict(COMMON, num_key_value_heads=4, qk_nope_head_dim=6, qk_rope_head_dim=4, v_head_dim=10, kv_lora_rank=12)
EXPERTS = dict(n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=12, n_shared_experts=2)
GROUPS = dict(n_group=4, topk_group=2)
QWEN_EXPERTS = dict(num_experts=6, num_experts_per_tok=2, moe_intermediate_size=12)

CASES = {
    "llama": LlamaConfig(**COMMON),
    "llama_yarn": LlamaConfig(**COMMON, rope_parameters=YARN),
    "mistral_window": MistralConfig(**COMMON, sliding_window=5),
    "mistral": MistralConfig(**COMMON, sliding_window=None),
    "qwen2": Qwen2Config(**COMMON),
    "qwen2_window": Qwen2Config(**COMMON, use_sliding_window=True, sliding_window=4, max_window_layers=1),
    "mixtral": MixtralConfig(**COMMON, num_local_experts=4, num_experts_per_tok=2),
    "qwen2_moe": Qwen2MoeConfig(**COMMON, **QWEN_EXPERTS, shared_expert_intermediate_size=20, mlp_only_layers=[1]),
    "qwen3_moe": Qwen3MoeConfig(**COMMON, **QWEN_EXPERTS, head_dim=16, norm_topk_prob=True, decoder_sparse_step=2),
    "deepseek_v2": DeepseekV2Config(**MLA, **EXPERTS, q_lora_rank=None, first_k_dense_replace=1),
    "deepseek_v2_groups": DeepseekV2Config(
        **MLA, **EXPERTS, **GROUPS, q_lora_rank=14, topk_method="group_limited_greedy", routed_scaling_factor=2.0
    ),
    "deepseek_v3": DeepseekV3Config(**MLA, **EXPERTS, **GROUPS, q_lora_rank=14, first_k_dense_replace=1),
    "deepseek_v3_yarn": DeepseekV3Config(
        **MLA,
        **EXPERTS,
        n_group=1,
        topk_group=1,
        q_lora_rank=None,
        rope_parameters=dict(YARN, mscale=1.0, mscale_all_dim=0.8, beta_fast=16, beta_slow=2),
    ),
    "deepseek_v3_halves_biases": DeepseekV3Config(
        **MLA, **EXPERTS, **GROUPS, q_lora_rank=14, rope_interleave=False, attention_bias=True, norm_topk_prob=False
    ),
    "glm4_moe_lite": Glm4MoeLiteConfig(**MLA, **EXPERTS, n_group=1, topk_group=1, q_lora_rank=14),
}


def make(name, config, out):
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter_name, tensor in list(model.named_parameters()) + list(model.named_buffers()):
            if parameter_name.endswith("inv_freq"):
                continue
            if "norm" in parameter_name:
                tensor.copy_(1 + 0.2 * torch.randn_like(tensor))
            elif tensor.is_floating_point():
                tensor.copy_(0.3 * torch.randn_like(tensor))
        ids = torch.randint(config.vocab_size, (2, TOKENS))
        logits = model(input_ids=ids).logits
    model.save_pretrained(out / name)
    save_file({"ids": ids, "logits": logits.contiguous()}, out / f"{name}.safetensors")


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for seed, (name, config) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        make(name, config, out)


if __name__ == "__main__":
    main()

"""Makes tests/nn/goldens: tiny random cases with the outputs and gradients that transformers gives for them.

    make_goldens.py                  the tiny cases
    make_goldens.py SMOLLM2.gguf     also the logits of SmolLM2-135M-Instruct
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

import reference

FOLDER = pathlib.Path(__file__).parent / "goldens"

LLAMA = dict(
    vocab_size=40,
    hidden_size=16,
    intermediate_size=12,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=4,
    max_position_embeddings=64,
    rms_norm_eps=1e-5,
    rope_theta=10000.0,
    tie_word_embeddings=False,
)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)

DEEPSEEK = dict(
    hidden_size=24,
    num_attention_heads=3,
    num_key_value_heads=3,
    qk_nope_head_dim=6,
    qk_rope_head_dim=4,
    v_head_dim=8,
    kv_lora_rank=10,
    q_lora_rank=None,
    rope_interleave=False,
    rms_norm_eps=1e-6,
    max_position_embeddings=64,
)
MOE = dict(hidden_size=16, num_experts_per_tok=2)
SIGMOID = dict(
    MOE,
    moe_intermediate_size=12,
    n_routed_experts=6,
    n_group=1,
    topk_group=1,
    n_shared_experts=1,
    norm_topk_prob=True,
    routed_scaling_factor=2.5,
)
QWEN = dict(MOE, num_experts=5, moe_intermediate_size=12, shared_expert_intermediate_size=8)

CASES = {
    "llama_gqa": ("llama", LLAMA),
    "llama_mha_tied": ("llama", dict(LLAMA, num_key_value_heads=4, tie_word_embeddings=True, rms_norm_eps=1e-3)),
    "llama_mqa_wide_head": ("llama", dict(LLAMA, num_key_value_heads=1, head_dim=6, rope_theta=500.0)),
    "llama_biases": ("llama", dict(LLAMA, attention_bias=True, mlp_bias=True)),
    "llama_linear_rope": ("llama", dict(LLAMA, rope_scaling=dict(rope_type="linear", factor=4.0))),
    "llama_llama3_rope": ("llama", dict(LLAMA, rope_scaling=dict(LLAMA3, original_max_position_embeddings=16))),
    "mla": ("latent_attention", DEEPSEEK),
    "mla_factored_query_biases": ("latent_attention", dict(DEEPSEEK, q_lora_rank=8, attention_bias=True)),
    "mla_wide_value": ("latent_attention", dict(DEEPSEEK, v_head_dim=14)),
    "moe_mixtral": ("mixtral", dict(MOE, intermediate_size=12, num_local_experts=4)),
    "moe_qwen2": ("qwen2_moe", dict(QWEN, norm_topk_prob=False)),
    "moe_qwen2_renormalised": ("qwen2_moe", dict(QWEN, norm_topk_prob=True)),
    "moe_deepseek": ("deepseek_v3_moe", SIGMOID),
    "moe_deepseek_not_renormalised": ("deepseek_v3_moe", dict(SIGMOID, norm_topk_prob=False)),
}

PROMPTS = [
    "The village lay in a valley between two rivers, and every spring the older people told the children how the "
    "bridge had once been carried away by the flood, stone by stone, while the bells of the church were ringing and "
    "nobody on the far bank could hear a single word of what was being shouted to them across the water.",
    "def quicksort(items):\n    if len(items) <= 1:\n        return items\n    pivot = items[len(items) // 2]\n"
    "    left = [x for x in items if x < pivot]\n    middle = [x for x in items if x == pivot]\n"
    "    right = [x for x in items if x > pivot]\n    return quicksort(left) + middle + quicksort(right)\n",
    "<|im_start|>user\nWie viele Einwohner hat Zürich? 答えてください。<|im_end|>\n<|im_start|>assistant\n"
    "Zürich has about 440,000 inhabitants within the city limits, and roughly 1.5 million people live in the whole "
    "metropolitan area around the lake and along the river Limmat.<|im_end|>\n",
]


def random_weights(module):
    """Normal values; norms near 1, biases and routers large enough to matter."""
    weights = {}
    for name, tensor in module.state_dict().items():
        value = torch.randn_like(tensor)
        if name.endswith("norm.weight"):
            value = 1 + 0.2 * value
        elif name.endswith(("bias", "gate.weight")):
            value = 0.5 * value
        else:
            value = 0.25 * value
        weights[name] = value
    return weights


def make_case(name, kind, config):
    case = {"kind": kind, "config": config}
    tokens = 12
    if kind == "llama":
        inputs = {"ids": torch.randint(config["vocab_size"], (2, tokens))}
        inputs["direction"] = torch.randn(2, tokens, config["vocab_size"])
    else:
        inputs = {"x": torch.randn(2, tokens, config["hidden_size"])}
        inputs["direction"] = torch.randn_like(inputs["x"])
    module, _ = reference.make_module(case, inputs)
    tensors = random_weights(module)
    if config.get("tie_word_embeddings"):
        del tensors["lm_head.weight"]
    tensors |= {"input." + key: value for key, value in inputs.items()}
    tensors |= reference.run(case, tensors)
    save_file(tensors, FOLDER / f"{name}.safetensors")
    (FOLDER / f"{name}.json").write_text(json.dumps(case, indent=2) + "\n", encoding="utf-8")


def smollm2_prompts(gguf):
    """The first 64 ids of each prompt."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    rows = [tokenizer(prompt, add_special_tokens=False).input_ids[:64] for prompt in PROMPTS]
    assert all(len(row) == 64 for row in rows), [len(row) for row in rows]
    return torch.tensor(rows)


def make_smollm2(gguf):
    ids = smollm2_prompts(gguf)
    logits = reference.gguf_logits(gguf, ids)
    values, indices = logits.topk(4, dim=-1)
    save_file(
        {
            "ids": ids,
            "top_values": values.contiguous(),
            "top_indices": indices.contiguous(),
            "strided_logits": logits[..., ::997].contiguous(),
        },
        FOLDER / "smollm2_logits.safetensors",
    )


def main():
    FOLDER.mkdir(exist_ok=True)
    for seed, (name, (kind, config)) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        make_case(name, kind, config)
    if len(sys.argv) > 1:
        make_smollm2(pathlib.Path(sys.argv[1]))


if __name__ == "__main__":
    main()

"""Runs one layer or model of Hugging Face transformers on weights and inputs from a file.

    reference.py (CASE.json IN.safetensors OUT.safetensors)...
    reference.py (MODEL IN.safetensors OUT.safetensors)...

CASE.json: {"kind": ..., "config": {...}} with the keys of the kind's own Hugging Face configuration.
IN holds the weights under their names in the module and the inputs as "input.*".
OUT gets "output" and the gradients "grad.*" of sum(output * input.direction) with respect to inputs and weights.
With MODEL, a .gguf file or a model's folder, IN holds "ids" and OUT gets "logits".
"""

import json
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, DeepseekV3Config, LlamaConfig, LlamaForCausalLM, MixtralConfig, Qwen2MoeConfig
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
from transformers.models.deepseek_v3 import modeling_deepseek_v3 as deepseek
from transformers.models.mixtral import modeling_mixtral as mixtral
from transformers.models.qwen2_moe import modeling_qwen2_moe as qwen2_moe


def run_llama(config, inputs):
    config = LlamaConfig(**config, attn_implementation="eager")
    model = LlamaForCausalLM(config)
    return model, lambda: {"output": model(input_ids=inputs["ids"]).logits}


def run_latent_attention(config, inputs):
    config = DeepseekV3Config(**config, attn_implementation="eager")
    module = deepseek.DeepseekV3Attention(config, layer_idx=0)
    x = inputs["x"]
    tokens = x.shape[1]
    positions = torch.arange(tokens)[None]
    mask = torch.full((tokens, tokens), float("-inf")).triu(1)[None, None]
    embeddings = deepseek.DeepseekV3RotaryEmbedding(config)(x, positions)
    return module, lambda: {"output": module(x, position_embeddings=embeddings, attention_mask=mask)[0]}


def run_moe(block, config, inputs):
    config._experts_implementation = "eager"
    module = block(config)
    return module, lambda: {"output": module(inputs["x"])}


KINDS = {
    "llama": run_llama,
    "latent_attention": run_latent_attention,
    "mixtral": lambda config, inputs: run_moe(mixtral.MixtralSparseMoeBlock, MixtralConfig(**config), inputs),
    "qwen2_moe": lambda config, inputs: run_moe(qwen2_moe.Qwen2MoeSparseMoeBlock, Qwen2MoeConfig(**config), inputs),
    "deepseek_v3_moe": lambda config, inputs: run_moe(deepseek.DeepseekV3MoE, DeepseekV3Config(**config), inputs),
}


def make_module(case, inputs):
    """The module of the case without weights, and a function that runs it."""
    return KINDS[case["kind"]](dict(case["config"]), inputs)


def run(case, tensors):
    """Outputs and gradients of the case on `tensors`, as a dictionary of tensors."""
    inputs = {name.removeprefix("input."): t for name, t in tensors.items() if name.startswith("input.")}
    weights = {name: t for name, t in tensors.items() if not name.startswith("input.")}
    if "x" in inputs:
        inputs["x"] = inputs["x"].clone().requires_grad_()
    module, forward = make_module(case, inputs)
    missing, unexpected = module.load_state_dict(weights, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    module.eval()

    results = forward()
    (results["output"] * inputs["direction"]).sum().backward()
    results = {name: t.detach().contiguous() for name, t in results.items()}
    if "x" in inputs:
        results["grad.input.x"] = inputs["x"].grad.contiguous()
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            results["grad." + name] = parameter.grad.contiguous()
    return results


def gguf_logits(path, ids):
    """Logits of a Llama in a GGUF file, dequantised by the `gguf` package and mapped by transformers."""
    config = load_gguf_checkpoint(str(path))["config"]
    del config["model_type"]
    model = LlamaForCausalLM(LlamaConfig(**config))
    tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)["tensors"]
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits


def folder_logits(path, ids):
    """Logits of a model that transformers opens by itself."""
    model = AutoModelForCausalLM.from_pretrained(str(path), dtype=torch.float32)
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits


def results_for(subject, tensors):
    if subject.endswith(".json"):
        with open(subject, encoding="utf-8") as file:
            return run(json.load(file), tensors)
    logits = gguf_logits if subject.endswith(".gguf") else folder_logits
    return {"logits": logits(subject, tensors["ids"])}


def main():
    arguments = sys.argv[1:]
    for subject, in_path, out_path in zip(arguments[::3], arguments[1::3], arguments[2::3], strict=True):
        save_file(results_for(subject, load_file(in_path)), out_path)


if __name__ == "__main__":
    main()

"""Loads an exported folder as its users do and says what transformers makes of it.

    load_export.py (FOLDER IDS.safetensors OUT)...

OUT.safetensors gets "logits" of "ids" and "generated" (64 ids after the first row of "ids", greedy, with the cache);
OUT.json "losses" (of one batch before and after a training step) and the class; OUT/ what save_pretrained writes.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM


def run(folder, ids_path, out):
    ids = load_file(ids_path)["ids"]
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, trust_remote_code=True, dtype=torch.float32, output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids).logits
        generated = model.generate(
            ids[:1], max_new_tokens=64, do_sample=False, eos_token_id=None, pad_token_id=0, use_cache=True
        )[:, ids.shape[1] :]
    save_file({"logits": logits.contiguous(), "generated": generated.contiguous()}, f"{out}.safetensors")
    model.save_pretrained(out)

    model.train()
    if model.supports_gradient_checkpointing:
        model.gradient_checkpointing_enable()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(2):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    result = {"losses": losses, "class": type(model).__name__}
    pathlib.Path(f"{out}.json").write_text(json.dumps(result), encoding="utf-8")


def main():
    arguments = sys.argv[1:]
    for folder, ids_path, out in zip(arguments[::3], arguments[1::3], arguments[2::3], strict=True):
        run(folder, ids_path, pathlib.Path(out))


if __name__ == "__main__":
    main()

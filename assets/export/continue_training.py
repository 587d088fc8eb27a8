"""Trains this model further on a text: accelerate launch --config_file fsdp2.yaml continue_training.py --text FILE"""

import argparse
import pathlib

import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = pathlib.Path(__file__).parent


def windows(tokenizer, text, length):
    """The text's ids in windows that do not overlap: [number of windows, length]."""
    ids = tokenizer(text, return_tensors="pt").input_ids[0]
    return ids[: len(ids) // length * length].view(-1, length)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", required=True)
    parser.add_argument("--out", default="trained")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--batch", type=int, default=4)
    arguments = parser.parse_args()

    accelerator = Accelerator()
    tokenizer = AutoTokenizer.from_pretrained(HERE)
    model = AutoModelForCausalLM.from_pretrained(HERE, trust_remote_code=True).train()
    data = windows(tokenizer, pathlib.Path(arguments.text).read_text(encoding="utf-8"), arguments.window)
    loader = torch.utils.data.DataLoader(data, batch_size=arguments.batch, shuffle=True, drop_last=True)
    model, loader = accelerator.prepare(model, loader)  # FSDP2 wants the model first, then its optimiser
    optimizer = accelerator.prepare(torch.optim.AdamW(model.parameters(), lr=arguments.lr))
    for step, ids in enumerate(loader):
        loss = model(input_ids=ids, labels=ids).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        accelerator.print(f"step {step} loss {loss.item():.4f}")
    accelerator.unwrap_model(model).save_pretrained(arguments.out, state_dict=accelerator.get_state_dict(model))
    tokenizer.save_pretrained(arguments.out)


if __name__ == "__main__":
    main()

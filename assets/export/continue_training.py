"""Trains this model further on a text:
accelerate launch --config_file fsdp2.yaml --num_processes GPUS continue_training.py --text FILE
"""

import argparse
import pathlib

import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = pathlib.Path(__file__).parent


def load():
    return AutoModelForCausalLM.from_pretrained(HERE, trust_remote_code=True)


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
    tokenizer = AutoTokenizer.from_pretrained(HERE, trust_remote_code=True)
    model = load().train()
    data = windows(tokenizer, pathlib.Path(arguments.text).read_text(encoding="utf-8"), arguments.window)
    needed = arguments.batch * accelerator.num_processes
    if len(data) < needed:
        parser.error(f"{arguments.text} has {len(data)} windows of {arguments.window} tokens, one step needs {needed}")
    loader = torch.utils.data.DataLoader(data, batch_size=arguments.batch, shuffle=True, drop_last=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.lr)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)  # FSDP2 wants both at once
    for step, ids in enumerate(loader):
        loss = model(input_ids=ids, labels=ids).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        accelerator.print(f"step {step} loss {loss.item():.4f}")
    state = accelerator.get_state_dict(model)  # gathered: every process takes part
    if accelerator.is_main_process:
        whole = load()  # the sharded one is of a class of its own, which transformers could not open again
        whole.load_state_dict(state)
        whole.save_pretrained(arguments.out)
        tokenizer.save_pretrained(arguments.out)
    accelerator.end_training()


if __name__ == "__main__":
    main()

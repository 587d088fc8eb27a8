"""The same measurements as `lathe bench`, done by transformers, one at a time on request.

Reads one JSON object a line from stdin and answers each with one line on stdout:
  {"do": "load", "model": PATH, "dtype": "f32" | "bf16" | "f16", "device": "cpu" | "cuda:0", "threads": N}
      ->  {"load_seconds": ...}
  {"do": "measure", "prompt": [ids], "new_tokens": N}
      ->  {"prefill_seconds": ..., "decode_tokens_per_second": ..., "ids": [...]}
  {"do": "tokenize", "file": PATH}  ->  {"mb_per_second": ...}, by the loaded model's tokenizer.json
  {"do": "dequantize", "file": PATH, "type": "Q4_K"}  ->  {"gb_per_second": ...}, of f32, by the `gguf` package
PATH of a model is a Hugging Face folder. Ends when stdin does.
"""
import json
import os
import sys
import time

import gguf
import numpy
import tokenizers
import torch
import transformers

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


class Clock(transformers.generation.streamers.BaseStreamer):
    """Notes when each token arrives; the first call is the prompt."""

    def __init__(self):
        self.times = []

    def put(self, value):
        self.times.append(time.perf_counter())

    def end(self):
        pass


def finish(model):
    if model.device.type == "cuda":
        torch.cuda.synchronize()


def load(request):
    torch.set_num_threads(request["threads"])
    start = time.perf_counter()
    model = transformers.AutoModelForCausalLM.from_pretrained(request["model"], dtype=DTYPES[request["dtype"]])
    model.eval().to(request["device"])
    finish(model)
    seconds = time.perf_counter() - start
    # What ends a text would end the measurement.
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(request["model"], "tokenizer.json"))
    return model, tokenizer, {"load_seconds": seconds}


def measure(model, request):
    prompt = torch.tensor([request["prompt"]], device=model.device)
    with torch.inference_mode():
        start = time.perf_counter()
        model(prompt, use_cache=True, logits_to_keep=1)
        finish(model)
        prefill_seconds = time.perf_counter() - start
        clock = Clock()
        ids = model.generate(prompt, attention_mask=torch.ones_like(prompt), streamer=clock, do_sample=False,
                             max_new_tokens=request["new_tokens"])
    # The prompt's own time and the first token's, which the prefill gives, are no decode steps.
    steps = clock.times[1:]
    rate = (len(steps) - 1) / (steps[-1] - steps[0]) if len(steps) > 1 else 0.0
    return {"prefill_seconds": prefill_seconds, "decode_tokens_per_second": rate,
            "ids": ids[0, prompt.shape[1]:].tolist()}


def tokenize(tokenizer, request):
    with open(request["file"], encoding="utf-8") as file:
        text = file.read()
    start = time.perf_counter()
    tokenizer.encode(text)
    return {"mb_per_second": len(text.encode()) / 1e6 / (time.perf_counter() - start)}


def dequantize(request):
    blocks = numpy.fromfile(request["file"], dtype=numpy.uint8)
    start = time.perf_counter()
    values = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[request["type"]])
    return {"gb_per_second": values.nbytes / 1e9 / (time.perf_counter() - start)}


def main():
    # Libraries print notices; the answers alone belong on stdout.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    model = tokenizer = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "load":
            model = None  # frees the last one first
            model, tokenizer, answer = load(request)
        elif request["do"] == "tokenize":
            answer = tokenize(tokenizer, request)
        elif request["do"] == "dequantize":
            answer = dequantize(request)
        else:
            answer = measure(model, request)
        print(json.dumps(answer), file=answers, flush=True)


main()

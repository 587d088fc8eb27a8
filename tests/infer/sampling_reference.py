"""What transformers' generate() would draw from: reads cases as JSON on stdin, writes ids and probabilities on stdout.

A case is {"logits": [...], "seen": [...], "settings": {...}} with the settings of GenerateSettings.
"""
import json
import sys

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM


def main():
    torch.set_num_threads(1)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                                         num_attention_heads=1))
    results = []
    for case in json.load(sys.stdin):
        settings = case["settings"]
        config = GenerationConfig(do_sample=True, temperature=settings["temperature"], top_k=settings["top_k"],
                                  top_p=settings["top_p"], min_p=settings["min_p"] or None,
                                  repetition_penalty=settings["repetition_penalty"])
        # The list that generate() itself makes, so that the order is tested too.
        processors = model._get_logits_processor(config, input_ids_seq_length=len(case["seen"]), device="cpu")
        seen = torch.tensor([case["seen"]], dtype=torch.long)
        scores = processors(seen, torch.tensor([case["logits"]], dtype=torch.float32))
        probabilities = torch.softmax(scores, dim=-1)[0]
        ids = torch.nonzero(scores[0] > float("-inf"))[:, 0]
        results.append({"ids": ids.tolist(), "probabilities": probabilities[ids].tolist()})
    json.dump(results, sys.stdout)


main()

"""What llama.cpp computes: {"model": GGUF, "ids": [...]} on stdin -> {"logits": [tokens][vocab_size]} on stdout."""

import json
import os
import sys

import llama_cpp

F32 = 0


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    ids = request["ids"]
    model = llama_cpp.Llama(request["model"], n_ctx=len(ids), n_batch=len(ids), n_threads=1, logits_all=True,
                            type_k=F32, type_v=F32, flash_attn=False, verbose=False)
    model.eval(ids)
    json.dump({"logits": model.scores[: len(ids)].tolist()}, answers)
    answers.flush()


main()

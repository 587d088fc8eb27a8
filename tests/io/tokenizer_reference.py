#!/usr/bin/env python3
"""What the Hugging Face packages say of texts: the reference that the tokenizer's tests compare with.

    tokenizer_reference.py encode TOKENIZER TEXTS OUT   TOKENIZER: a tokenizer.json or a .gguf; TEXTS: a text in hex a line
                                                        OUT: "ids|text decoded without special tokens|all decoded" a line
    tokenizer_reference.py chat CASES OUT               CASES: a JSON list of templates with messages; OUT: their texts
"""

import json
import sys


def byte_level_spelling():
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printing]
    return {**{byte: chr(byte) for byte in printing}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def smollm_from_gguf(path):
    """SmolLM2's tokenizer from the file's vocabulary and merges, with the rules of its original tokenizer.json."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields = GGUFReader(path).fields
    tokens, merges, types = (
        fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "merges", "token_type")
    )
    assert fields["tokenizer.ggml.pre"].contents() == "smollm"
    tokenizer = Tokenizer(
        models.BPE({token: i for i, token in enumerate(tokens)}, [tuple(merge.split(" ")) for merge in merges])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, types) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def load(path):
    from tokenizers import Tokenizer

    return smollm_from_gguf(path) if path.endswith(".gguf") else Tokenizer.from_file(path)


def encode(tokenizer, texts):
    """A line for each text, given as bytes."""
    lines = []
    for start in range(0, len(texts), 1000):
        batch = [text.decode("utf-8", errors="replace") for text in texts[start : start + 1000]]
        for encoding in tokenizer.encode_batch(batch):
            decoded = [tokenizer.decode(encoding.ids, skip_special_tokens=skip) for skip in (True, False)]
            fields = [" ".join(map(str, encoding.ids)), *(text.encode().hex() for text in decoded)]
            lines.append("|".join(fields))
    return lines


def render_chat(case):
    import jinja2
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE()), bos_token=case["bos_token"], eos_token=case["eos_token"]
    )
    try:
        return tokenizer.apply_chat_template(
            case["messages"],
            chat_template=case["template"],
            add_generation_prompt=case["add_generation_prompt"],
            tokenize=False,
        )
    except jinja2.TemplateError as error:
        return f"refused: {error}"


def main(command, *paths):
    if command == "encode":
        texts = [bytes.fromhex(line) for line in open(paths[1])]
        open(paths[2], "w").write("\n".join(encode(load(paths[0]), texts)) + "\n")
    else:
        json.dump([render_chat(case) for case in json.load(open(paths[0]))], open(paths[1], "w"))


if __name__ == "__main__":
    main(*sys.argv[1:])

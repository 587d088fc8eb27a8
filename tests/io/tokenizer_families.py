#!/usr/bin/env python3
"""Tokenizers of every form that the Llama family comes in, trained here on generated text, and what the packages that
define those forms say of texts.

    tokenizer_families.py FOLDER COUNT SEED

writes for each form a file FOLDER/NAME.json, .model or .gguf, COUNT texts as hex lines FOLDER/NAME.texts, and FOLDER/NAME.expected
with "ids|text decoded" a line: of `sentencepiece` for .model, else of `tokenizers`. Prints the file names, one a line.
"""

import base64
import json
import pathlib
import random
import sys

import regex
import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

WORDS = """the of Attention latent MoE tokenizer İ straße naïve 日本 你好 мир Σ 한국 don't it's we'll WE'LL hello world ing
ation Ünï 3.14 2024 x1 def return""".split()
SPACES = [" ", "  ", "   ", "\n", "\r\n", "\t", "\n\n", " \n", "\u00a0", "\u3000", "\u2009", "\u0085", "\u180e", "\u200b", "▁", "▁▁"]
SPECIAL = ["<unk>", "<|im_start|>", "<mask>", "tag", " tag ", "<0x0A>", "<0xFF>", "<A>", "<A>x", "[INST]", "«»", "<ctl>"]
ODD = ["e\u0301", "\u212b", "👩‍👩‍👧", "🇫🇷", "1️⃣", "ﬁ", "Ａ", "\x00", "\u00ad", "\u0130", "\u1e9b\u0323"]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Texts:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def character(self):
        ranges = [(0x20, 0x7F), (0xA0, 0x2100), (0x4E00, 0x9FA6), (0x1F300, 0x1F700), (1, 0xD800), (0xE000, 0x110000)]
        return chr(self.random.randrange(*self.random.choice(ranges)))

    def fragment(self):
        pick, kind = self.random.choice, self.random.randrange(12)
        if kind < 2:
            return pick(SPACES) if kind else pick(SPACES) + pick(SPACES)
        if kind == 2:
            return pick(SPECIAL)
        if kind == 3:
            return str(self.random.randrange(10**9))
        if kind == 4:
            return self.character()
        if kind == 5:
            return "".join(pick("abcdefghijklmnop") for _ in range(self.random.randrange(1, 9)))
        if kind == 6:
            return pick("aA ▁") * self.random.randrange(1, 20)
        if kind == 7:
            return pick("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~") * self.random.randrange(1, 4)
        if kind == 8:
            return pick(ODD)
        return (" " if self.random.random() < 0.7 else "") + pick(WORDS)

    def text(self):
        return "".join(self.fragment() for _ in range(self.random.randrange(14)))

    def lines(self, count):
        """For training: the special texts are not to become part of other tokens."""
        texts = (self.text() for _ in range(count))
        return [text.replace("<", "").replace("\n", " ").replace("\x00", "") for text in texts]


def added(token_id, content, **options):
    token = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {"id": token_id, "content": content, **token, **options}


def with_bos(tokenizer):
    first = tokenizer.token_to_id("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", first)]
    )
    return tokenizer


def text_bpe(texts, normalizer, pre_tokenizer, decoder, byte_fallback=True, fuse_unk=True, ignore_merges=False):
    """BPE on characters, with the added tokens that test every flag."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse_unk, byte_fallback=byte_fallback))
    tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    first = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=first, limit_alphabet=120, show_progress=False)
    tokenizer.train_from_iterator(texts.lines(3000), trainer)
    file = json.loads(tokenizer.to_str())
    vocabulary = file["model"]["vocab"]
    for byte in range(256 if byte_fallback else 0):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    file["model"]["ignore_merges"] = ignore_merges
    end = len(vocabulary)
    file["added_tokens"] = [added(vocabulary[token], token, special=True) for token in first] + [
        added(end, "<|im_start|>"),
        added(end + 1, "<mask>", lstrip=True, special=True),
        added(end + 2, "tag", single_word=True, normalized=True),
        added(end + 3, "<A>", rstrip=True, normalized=True),
    ]
    tokenizer = with_bos(Tokenizer.from_str(json.dumps(file)))
    tokenizer.decoder = decoder
    return tokenizer


def llama_decoder(start=1):
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(steps + ([decoders.Strip(" ", start, 0)] if start else []))


def byte_bpe(texts, stages, normalizer=None, ignore_merges=False):
    """BPE on bytes after pre-tokenizers of these patterns."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not stages)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(stages + [byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "<|im_start|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts.lines(3000), trainer)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]),
        ]
    )
    return tokenizer


def split(pattern, behavior="isolated", invert=False):
    from tokenizers import Regex

    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def tokenizer_jsons(texts):
    prepend = lambda: normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    nfc = lambda: normalizers.Sequence([normalizers.NFC(), prepend()])
    metaspace = lambda scheme, cuts: pre_tokenizers.Metaspace(prepend_scheme=scheme, split=cuts)
    digits = lambda: pre_tokenizers.Digits(individual_digits=True)
    deepseek = [r"[!-/:-~]?[A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
    coder = ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+"]
    punctuation = pre_tokenizers.Sequence([pre_tokenizers.Punctuation("merged_with_next"), digits(), metaspace("always", True)])
    yield "llama2", text_bpe(texts, prepend(), None, llama_decoder())
    yield "llama2_without_bytes", text_bpe(texts, prepend(), None, llama_decoder(), byte_fallback=False)
    yield "llama2_unfused", text_bpe(texts, prepend(), None, llama_decoder(), byte_fallback=False, fuse_unk=False)
    yield "llama2_ignoring_merges", text_bpe(texts, prepend(), None, llama_decoder(), ignore_merges=True)
    yield "llama2_nfc", text_bpe(texts, nfc(), None, llama_decoder())
    yield "mistral", text_bpe(texts, None, metaspace("first", False), llama_decoder())
    yield "metaspace", text_bpe(
        texts, None, metaspace("always", True), decoders.Metaspace(prepend_scheme="always"), byte_fallback=False
    )
    yield "metaspace_never", text_bpe(texts, None, metaspace("never", True), llama_decoder())
    yield "gemma", text_bpe(
        texts, normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"), llama_decoder(0)
    )
    yield "punctuation", text_bpe(texts, None, punctuation, llama_decoder())
    yield "gpt2", byte_bpe(texts, [])
    yield "smollm", byte_bpe(texts, [digits(), split(GPT2)])
    yield "llama3", byte_bpe(texts, [split(LLAMA3)], ignore_merges=True)
    yield "qwen2", byte_bpe(texts, [split(LLAMA3.replace("{1,3}", ""))], normalizer=normalizers.NFC())
    yield "deepseek_v3", byte_bpe(texts, [split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+")] + [split(p) for p in deepseek])
    yield "deepseek_coder", byte_bpe(texts, [split(p) for p in coder] + [digits()])
    yield "removed", byte_bpe(texts, [split(r"\s+", "removed"), split(r"[a-f]+", "merged_with_next", True)])
    yield "contiguous", byte_bpe(texts, [split(r"[a-f]", "contiguous"), split("e", "merged_with_previous")])


SENTENCEPIECE = {
    "llama": {},
    "without_bytes": dict(byte_fallback=False),
    "digits": dict(split_digits=True, allow_whitespace_only_pieces=True),
    "user_defined": dict(user_defined_symbols=["<|im_start|>", "[INST]", "tag", "a▁b", "««"], control_symbols=["<c>"]),
    "no_dummy_prefix": dict(add_dummy_prefix=False),
    "nmt_nfkc": dict(normalization_rule_name="nmt_nfkc"),
    "extra_spaces_removed": dict(remove_extra_whitespaces=True, user_defined_symbols=["  x", "tag"]),
    "folded": dict(normalization_rule_name="nmt_nfkc_cf", remove_extra_whitespaces=True, unk_surface="<?>", byte_fallback=False),
    "across_words": dict(split_by_whitespace=False),
}


def train_sentencepiece(path, texts, options):
    corpus = path.with_suffix(".txt")
    corpus.write_text("\n".join(line for line in texts.lines(4000) if line.strip()))
    defaults = dict(
        vocab_size=900, byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity",
        remove_extra_whitespaces=False,
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(path), model_type="bpe", minloglevel=2, num_threads=1, **{**defaults, **options}
    )
    return sentencepiece.SentencePieceProcessor(model_file=str(path) + ".model")


class Tiktoken:
    """Encoding by ranks, written from its description: of all neighbours that join the lowest rank goes first."""

    def __init__(self, texts):
        words = [word.encode() for line in texts.lines(3000) for word in regex.findall(LLAMA3, line)]
        self.ranks = {bytes([byte]): byte for byte in range(256)}
        random.Random(1).shuffle(words)
        for word in words:
            for end in range(2, len(word) + 1):
                if len(self.ranks) < 900:
                    self.ranks.setdefault(word[:end], len(self.ranks))

    def write(self, path):
        lines = (f"{base64.b64encode(token).decode()} {rank}" for token, rank in self.ranks.items())
        path.write_text("\n".join(lines) + "\n")

    def encode(self, text):
        ids = [len(self.ranks)]  # <|begin_of_text|>
        for word in regex.findall(LLAMA3, text):
            word = word.encode()
            parts = [word] if word in self.ranks else [word[i : i + 1] for i in range(len(word))]
            while True:
                pairs = [(self.ranks.get(a + b), i) for i, (a, b) in enumerate(zip(parts, parts[1:])) if a + b in self.ranks]
                if not pairs:
                    break
                _, at = min(pairs)
                parts[at : at + 2] = [parts[at] + parts[at + 1]]
            ids += [self.ranks[part] for part in parts]
        return ids


def write_case(path, texts, expected):
    path.with_suffix(path.suffix + ".texts").write_text("".join(text.encode().hex() + "\n" for text in texts))
    lines = (" ".join(map(str, ids)) + "|" + decoded.encode().hex() + "\n" for ids, decoded in map(expected, texts))
    path.with_suffix(path.suffix + ".expected").write_text("".join(lines))
    print(path.name)


def main(folder, count, seed):
    folder, texts = pathlib.Path(folder), Texts(int(seed))
    edge = ["", " ", "  ", "▁", " a", "a ", "\n", "\x00", "a\x00b"]
    fresh = lambda: edge + [texts.text() for _ in range(int(count))]
    for name, tokenizer in tokenizer_jsons(texts):
        tokenizer.save(str(folder / (name + ".json")))

        def expected(text):
            ids = tokenizer.encode(text).ids
            return ids, tokenizer.decode(ids)

        write_case(folder / (name + ".json"), fresh(), expected)
    for name, options in SENTENCEPIECE.items():
        processor = train_sentencepiece(folder / name, texts, options)
        expected = lambda text: ([processor.bos_id()] + processor.encode(text), processor.decode(processor.encode(text)))
        write_case(folder / (name + ".model"), fresh(), expected)
    tiktoken = Tiktoken(texts)
    tiktoken.write(folder / "tiktoken.model")
    write_case(folder / "tiktoken.model", fresh(), lambda text: (tiktoken.encode(text), text))


if __name__ == "__main__":
    main(*sys.argv[1:])

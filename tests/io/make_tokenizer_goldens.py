#!/usr/bin/env python3
"""Writes tests/io/tokenizer_goldens/: texts, three small tokenizers, and the ids that `tokenizers` gives for each.

    python tests/io/make_tokenizer_goldens.py MODEL.gguf      MODEL: SmolLM2-135M-Instruct

Run by hand with the packages of tests/requirements.txt when cases are added; the texts are drawn from a fixed seed.
"""

import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import tokenizer_reference as reference

FOLDER = pathlib.Path(__file__).resolve().parent / "tokenizer_goldens"
LICENSES = pathlib.Path("/usr/share/common-licenses")

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

WORDS = (
    "the of and a to in is you that it he was for on are as with his they I at be this have from or one had by word "
    "but not what all were we when your can said there use an each which she do how their if will up other about out "
    "many then them these so some her would make like him into time has look two more write go see number no way could "
    "people my than first water been call who oil its now find long down day did get come made may part "
    "internationalization tokenizer antidisestablishmentarianism Attention LATENT mixtureOfExperts snake_case kv_lora"
).split()
SENTENCES = [
    "Ünïcödé ÀÉÎÕÜ naïve façade Zürich Ærøskøbing", "e\u0301 a\u030a n\u0303 o\u0302\u0323 \u0301alone", "Straße GROẞ ſtill 'ſ",
    "I'm you're he'd we'll they've it's don't", "I'M YOU'RE HE'D WE'LL THEY'VE IT'S DON'T 'Tis 'RE'", "''s '' 'x 'll'll '",
    "你好，世界！深度学习模型的注意力机制。", "日本語のテキスト、カタカナとひらがな。", "한국어 문장입니다. 각각 ᄒ\u1161ᆫ", "Привет, мир! Ёжик", "Γειά σου Κόσμε",
    "שלום עולם", "مرحبا بالعالم ١٢٣٤", "नमस्ते दुनिया १२३", "สวัสดีชาวโลก", "გამარჯობა", "Xin chào thế giới ế ệ",
    "👋🌍🚀🎉", "👩‍👩‍👧‍👦 👨🏽‍💻 🏳️‍🌈 🇫🇷🇯🇵 ❤️‍🔥 1️⃣", "☃️ ♥ ⌘ → ∑∫√ ½ ⅓ Ⅻ ² ₃", "a\u200db\u200cc\u200bd\ufeffe", "\u202eright\u202c \u2066to\u2069",
    "12345 3.14159 1,000,000 0x1F 1e-9 2024-08-15 10:30", "0 00 000 0000 00000 1234567890123", "٣٤٥ ४५६ ४ 一二三 ①②③ ²³¹ Ⅳ",
    "line one\r\nline two\r\n\r\nline four\rmac\n\n\nunix", "\tindented\n\t\ttwice\n    four\n        eight", "   lead", "trail   ", " ",
    "  ", "   ", "\n", "\r\n", "\n\n", " \n ", "\n \n", "\t", " \t ", "a  b   c    d     e", "x\u00a0y\u2003z\u3000w\u0085v\u180eu\u2028t\u2029s",
    "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n", "a<|im_end|>b <|im_end|> c  <|im_end|>  d", "<|im_end", "<|im_end|", "|>",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>", "<|endoftext|><|endoftext|>", "<repo_name>x<reponame>",
    "<mask> <mask><mask>a <mask>b", "tag and tags and tag. tagtag tag_ 9tag étag tag", " <r> x <r>  \n y<r>", "Å<A> Å \u212b <é> <e\u0301>",
    "if (x == 0) { return y[i++] - 3; } // ok", "#include <vector>\nint main() { return 0; }\n", "def f(x):\n    return x**2\n",
    "https://example.org/a/b?c=d&e=f#g", "user@example.com", "C:\\path\\to\\file.txt", "<html><body class=\"x\">&amp;</body></html>",
    "{\"key\": [1, 2.5, null, true], \"s\": \"q\\\"q\"}", "| a | b |\n|---|---|\n", "!!!???...,,,;;;:::", "$100 €50 £20 ¥1000 ₿", "%^&*()_+-=[]{}",
    "\x00", "a\x00b", "\x01\x02\x03\x04\x1f\x7f", "\ue000\uf8ff", "\U0010ffff\U000e0001\ufffd\ufffe", "Z̸̢͎̀a̵͇͝l̶̡̛g̷̨̛o̴̢͝",
    "a\u0305\u0301 e\u0323\u0305\u0301 \u1112\u1161\u11ab\u11ab", "it'ſa it'Sa it'sa x'LLy 'veX", "(\n\nword .\r\n\n x\nfoo\tbar \tbaz", "\x00\x01\x00a\x01\x01\x00", "ﬁ ﬂ ﷺ ㎏ Å K",
]
BROKEN = [
    "80", "ff", "c080", "c3", "c3c3a9", "e28082e280", "f09f98", "f09f9880f09f", "eda080", "edb080eda080", "f4908080", "f8888080", "61ff62", "fe",
    "e0808061", "2020ff2020", "e4bda0e5a5", "3132ff3334", "c328", "a0a1", "e228a1", "e28228", "f0288cbc", "f09028bc", "f0288c28", "00ff00ff", "6180e180",
]
SPACES = [" ", "  ", "   ", "\n", "\r\n", "\t", "\n\n", " \n", "\u00a0", "\u3000", "\u2009", "\x0b", "\x0c", "\u0085", "\u2028", "\u1680"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>", "<mask>", "tag", "<r>", "<A>", "<A>x", "<é>"]


def random_text(rng):
    """One to seven fragments of all kinds, glued together."""
    fragments = [
        lambda: rng.choice(WORDS),
        lambda: " " + rng.choice(WORDS),
        lambda: rng.choice(WORDS).upper() + rng.choice(["'s", "'LL", "'Re", "n't", "'"]),
        lambda: rng.choice(SENTENCES)[: rng.randint(1, 20)],
        lambda: "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 4))),
        lambda: str(rng.randint(0, 10 ** rng.randint(1, 9))),
        lambda: chr(rng.choice([*range(0x20, 0x7F), *range(0xA0, 0x250)])),
        lambda: "".join(chr(rng.randint(0x4E00, 0x9FA5)) for _ in range(rng.randint(1, 3))),
        lambda: chr(rng.randint(0x1F300, 0x1F6FF)) + rng.choice(["", "\u200d", "\ufe0f", "\U0001f3fd"]),
        lambda: rng.choice("aeiounAEO") + chr(rng.randint(0x300, 0x36F)),
        lambda: rng.choice(SPECIAL),
        lambda: "".join(rng.choice("!?.,;:-_=+*/()[]{}<>|~^%$#@&\"'`\\") for _ in range(rng.randint(1, 4))),
        lambda: chr(rng.choice([rng.randint(0, 0xD7FF), rng.randint(0xE000, 0x10FFFF)])),
    ]
    return "".join(rng.choice(fragments)() for _ in range(rng.randint(1, 7)))


def texts():
    rng = random.Random(2024)
    plain = [*SENTENCES, *WORDS, *(" " + word for word in WORDS)]
    plain += [" " * n for n in range(3, 20)] + ["\n" * n for n in range(3, 10)] + ["x" * n for n in (5, 50, 300)]
    while len(plain) < 1950:
        plain.append(random_text(rng))
    broken = [bytes.fromhex(code) for code in BROKEN]
    while len(broken) < 150:
        text = bytearray(random_text(rng).encode())
        for _ in range(rng.randint(1, 3)):
            text[rng.randrange(len(text))] = rng.randint(0x80, 0xFF)
        broken.append(bytes(text))
    return [text.encode() for text in plain] + broken


def corpus():
    names = ["GPL-3", "Apache-2.0", "MPL-2.0", "Artistic"]
    plain = [text.decode("utf-8", errors="replace") for text in texts()]
    return [*((LICENSES / name).read_text()[:20000] for name in names), *plain, *SENTENCES * 5]


def train(tokenizer, size, special):
    """Merges learnt across the borders of pieces: a wrong border then shows in the ids."""
    rules = tokenizer.pre_tokenizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"[\s\S]{1,7}"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.pre_tokenizer = rules
    file = json.loads(tokenizer.to_str())
    # Ranks out of the order in which they were learnt make tokens that their own merges do not lead to.
    late = file["model"]["merges"][100:]
    random.Random(7).shuffle(late)
    file["model"]["merges"][100:] = late
    return file


def llama3_style():
    """As Llama-3: its regular expression, whole pieces first, special tokens after the vocabulary, a bos."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    file = train(tokenizer, 2000, [])
    file["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.add_special_tokens(
        ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    )
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing("<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", bos)]),
        ]
    )
    return json.loads(tokenizer.to_str())


def gpt2_style():
    """As GPT-2, with a space put before each text and merges written in the old way, as strings."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.decoder = decoders.ByteLevel()
    file = train(tokenizer, 2000, ["<|endoftext|>"])
    file["model"]["merges"] = [" ".join(merge) for merge in file["model"]["merges"]]
    return file


def mixed_style():
    """Everything else that Lathe reads: NFC, each kind of split, added tokens with each flag, an unknown token."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[\r\n]"), "merged_with_previous"),
            pre_tokenizers.Split("-", "merged_with_next"),
            pre_tokenizers.Split(Regex(r"[一-龥]+"), "contiguous"),
            pre_tokenizers.Split(Regex(r"[=~]"), "removed"),
            pre_tokenizers.Split(Regex(r"[^#]+"), "removed", invert=True),
            pre_tokenizers.Split(Regex(r"\p{Lu}"), "isolated"),
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    file = train(tokenizer, 2000, ["<unk>"])
    # Bytes that the vocabulary lacks: 0, 1, and two that start rare characters.
    model = file["model"]
    model["merges"] = [pair for pair in model["merges"] if not set("".join(pair)) & set("Āāñò")]
    kept = [token for token in sorted(model["vocab"], key=model["vocab"].get) if not set(token) & set("Āāñò")]
    model["vocab"] = {token: i for i, token in enumerate(kept)}
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True), AddedToken("<|im_end|>", rstrip=True)])
    tokenizer.add_tokens(
        [
            AddedToken("tag", single_word=True),
            AddedToken("<r>", lstrip=True, rstrip=True, normalized=False),
            AddedToken("<A>", normalized=False),
            AddedToken("<A>x", normalized=False),
            AddedToken("<e\u0301>", normalized=True),
            AddedToken("\u212b", normalized=True),
        ]
    )
    return json.loads(tokenizer.to_str())


def write(name, lines):
    (FOLDER / name).write_text("\n".join(lines) + "\n")


def text_line(text):
    try:
        return json.dumps(text.decode(), ensure_ascii=True)
    except UnicodeDecodeError:
        return json.dumps({"hex": text.hex()})


def chat_cases():
    """Templates of the kinds that are found with models, each with conversations that take its branches."""
    templates = json.loads((FOLDER / "chat_templates.json").read_text())
    user, assistant = {"role": "user", "content": " What is 2+2?\n"}, {"role": "assistant", "content": "Four: «4» ✓"}
    system = {"role": "system", "content": "Be brief.\r\nAlways. {{ not_a_tag }} {% if %}"}
    conversations = [[user], [system, user], [user, assistant, user], [system, user, assistant], [user, assistant]]
    return [
        {
            "template": template,
            "messages": messages,
            "add_generation_prompt": prompt,
            "bos_token": "<s>",
            "eos_token": "</s>",
        }
        for template in templates
        for messages in conversations
        for prompt in (False, True)
    ]


def main(gguf):
    cases = texts()
    write("texts.jsonl", [text_line(text) for text in cases])
    write("smollm2.ids", [line.split("|")[0] for line in reference.encode(reference.load(gguf), cases)])
    for style in (llama3_style, gpt2_style, mixed_style):
        name = style.__name__
        write(f"{name}.json", [json.dumps(style(), ensure_ascii=False, separators=(",", ":"))])
        tokenizer = reference.load(str(FOLDER / f"{name}.json"))
        write(f"{name}.ids", [line.split("|")[0] for line in reference.encode(tokenizer, cases)])
    chats = [{**case, "expected": reference.render_chat(case)} for case in chat_cases()]
    write("chats.json", [json.dumps(chats, ensure_ascii=False, indent=0)])


if __name__ == "__main__":
    main(sys.argv[1])

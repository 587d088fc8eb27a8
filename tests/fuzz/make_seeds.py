#!/usr/bin/env python3
"""Writes the seeds of the fuzzers: for each parser a few small inputs that it accepts. Run it after a change."""

import base64
import io
import json
import pathlib
import shutil
import struct
import zipfile

CORPUS = pathlib.Path(__file__).parent / "corpus"


def write(target, name, content):
    if not isinstance(content, (bytes, str)):
        content = json.dumps(content)
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def safetensors(tensors, metadata=None):
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, dtype, shape, content in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_value(key, kind, value):
    packed = {4: "<I", 5: "<i", 6: "<f", 7: "<?"}
    if kind == 8:
        body = gguf_string(value)
    elif kind == 9:
        element, items = value
        body = struct.pack("<IQ", element, len(items))
        body += b"".join(gguf_string(i) if element == 8 else struct.pack(packed[element], i) for i in items)
    else:
        body = struct.pack(packed[kind], value)
    return gguf_string(key) + struct.pack("<I", kind) + body


def gguf(values, tensors, version=3):
    infos, data = b"", b""
    for name, dims, kind, content in tensors:
        infos += gguf_string(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        infos += struct.pack("<IQ", kind, len(data))
        data += content + b"\0" * (-len(content) % 32)
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    head += b"".join(gguf_value(*value) for value in values) + infos
    return head + b"\0" * (-len(head) % 32) + data


def byte_alphabet():
    """GPT-2's printable characters for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


ALPHABET = list(byte_alphabet().values())
MERGES = [("h", "e"), ("l", "l"), ("he", "ll"), ("Ġ", "w")]
TOKENS = ALPHABET + ["".join(merge) for merge in MERGES]


def tokenizer(pre_tokenizer, post_processor=None, normalizer=None):
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": len(TOKENS) + i, "content": text, **special} for i, text in enumerate(("<s>", "</s>"))],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(TOKENS)},
            "merges": [" ".join(merge) for merge in MERGES],
        },
    }


def tokenizers():
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    write("tokenizer", "gpt2", tokenizer(byte_level))
    pattern = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    digits = {"type": "Digits", "individual_digits": True}
    frame = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [len(TOKENS)], "tokens": ["<s>"]}},
    }
    stages = {"type": "Sequence", "pretokenizers": [split, digits, {**byte_level, "use_regex": False}]}
    text = json.dumps(tokenizer(stages, frame, {"type": "NFC"}))
    write("tokenizer", "split", text + "\0" + json.dumps({"bos_token": "<s>", "eos_token": {"content": "</s>"}}))


def ggufs():
    sizes = {
        "embedding_length": 32,
        "feed_forward_length": 32,
        "block_count": 1,
        "context_length": 64,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
    }
    values = [("general.architecture", 8, "llama")]
    values += [(f"llama.{key}", 4, value) for key, value in sizes.items()]
    values += [("llama.attention.layer_norm_rms_epsilon", 6, 1e-5)]
    vocabulary = [
        ("tokenizer.ggml.model", 8, "gpt2"),
        ("tokenizer.ggml.pre", 8, "smollm"),
        ("tokenizer.ggml.tokens", 9, (8, TOKENS)),
        ("tokenizer.ggml.token_type", 9, (5, [1] * len(TOKENS))),
        ("tokenizer.ggml.merges", 9, (8, [" ".join(merge) for merge in MERGES])),
        ("tokenizer.ggml.add_bos_token", 7, False),
    ]
    rows = [
        ("token_embd.weight", (32, 3), 8, b"\x11" * 102),
        ("blk.0.attn_q.weight", (32, 32), 2, b"\x22" * 576),
        ("blk.0.attn_k.bias", (16,), 0, b"\x3c" * 64),
    ]
    write("gguf", "llama", gguf(values, rows))
    write("gguf", "vocabulary", gguf(values[:1] + vocabulary, []))
    write("gguf", "version2", gguf(values[:1], rows[2:], version=2))
    blocks = {1: 2, 3: 20, 6: 22, 7: 24, 10: 84, 11: 110, 12: 144, 13: 176, 14: 210, 20: 18, 23: 136, 30: 2}
    for kind, size in blocks.items():
        length = 1 if size == 2 else 32 if size < 40 else 256
        write("gguf", f"type{kind}", gguf(values, [("output_norm.weight", (length,), kind, b"\x33" * size)]))


def configs():
    llama = {
        "model_type": "llama",
        "vocab_size": 64,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": 128,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": [2, 3],
    }
    write("config", "llama", llama)
    scaling = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    write("config", "llama3", {**llama, "rope_scaling": scaling})
    moe = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
    write("config", "mixtral", {**llama, "model_type": "mixtral", "num_local_experts": 4, "sliding_window": 64})
    write(
        "config",
        "qwen2_moe",
        {**llama, **moe, "model_type": "qwen2_moe", "shared_expert_intermediate_size": 64, "mlp_only_layers": [0]},
    )
    mla = {"kv_lora_rank": 16, "q_lora_rank": 24, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16}
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "mscale": 1.0, "mscale_all_dim": 0.7}
    groups = {"n_routed_experts": 4, "n_shared_experts": 1, "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1}
    deepseek = {**llama, **moe, **mla, **groups, "model_type": "deepseek_v3", "rope_scaling": yarn}
    write("config", "deepseek_v3", deepseek)
    attention = {"kind": "mla", **mla, "latent_norm": True, "rope_pairs": [0, 1, 2, 3]}
    experts = {"kind": "moe", **moe, "router": "sigmoid"}
    layers = [{"attention": attention, "feed_forward": {"kind": "dense"}}, {"feed_forward": experts}]
    write("config", "lathe", {**llama, "model_type": "lathe", "layers": layers})


def plans():
    mla = {"method": "transmla", "qk_rope_head_dim": 8, "kv_lora_rank": 16, "freqfold": 2, "balance_kv_ratio": 1.0}
    moe = {"method": "drop-upcycling", "num_experts": 4, "num_experts_per_tok": 2, "drop_ratio": 0.5}
    write(
        "plan",
        "both",
        {
            "name": "both",
            "description": "",
            "layers": [{"layers": [0, 2], "attention": mla}, {"layers": [1], "feed_forward": moe}],
            "calibration": {"text": "", "num_samples": 4, "seq_len": 64},
            "seed": 1,
        },
    )


def shard_indices():
    write("shard_index", "two", {"metadata": {"total_size": 16}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}})
    write("shard_index", "missing", {"weight_map": {"a": "b.safetensors", "b": "../a.safetensors"}})


def templates():
    chatml = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim }}"
        "{% if not loop.last %}{{ '<|im_end|>\\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{- '<|im_start|>assistant\\n' -}}{% endif %}"
    )
    write("chat_template", "chatml", chatml)
    llama = (
        "{%- set ns = namespace(found=false) -%}{%- if messages[0].role == 'system' %}{% set rest = messages[1:] %}"
        "{%- else %}{% set rest = messages %}{% endif %}{{ bos_token }}{%- for m in rest if m.content is string -%}"
        "{% set ns.found = loop.index0 % 2 == 0 and not ns.found %}[{{ loop.index ~ m['content'].strip() | upper }}]"
        "{% else %}{{ raise_exception('none') }}{%- endfor %}{{ tools is none | tojson }}{{ [1, 2.5, {'a': -3}][::-1] }}"
    )
    write("chat_template", "llama", llama)


def varint(value):
    data = b""
    while value >= 0x80:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])


def field(number, value):
    """A field of a protobuf message: an integer, a 32-bit float, or bytes."""
    wire = {int: 0, float: 5, bytes: 2}[type(value)]
    body = {0: varint, 5: lambda v: struct.pack("<f", v), 2: lambda v: varint(len(v)) + v}[wire](value)
    return varint(number << 3 | wire) + body


def pieces(items):
    """sentencepiece's pieces: text, score and type of each."""
    return b"".join(field(1, field(1, text.encode()) + field(2, score) + field(3, kind)) for text, score, kind in items)


def lower_case_a():
    """A charsmap that makes "A" to "a": a double-array trie of one key, and the text that it leads to."""
    trie = [0] * 0x43
    trie[0] = 1 << 10  # the root's children are at 1 ^ byte
    trie[1 ^ ord("A")] = 2 << 10 | 1 << 8 | ord("A")  # a key ends here: its value is at 2 ^ this place
    trie[1 ^ ord("A") ^ 2] = 1 << 31
    return struct.pack(f"<I{len(trie)}I", 4 * len(trie), *trie) + b"a\0"


def sentencepieces():
    normal, unknown, control, byte, bpe = 1, 2, 3, 6, 2
    special = [("<unk>", 0.0, unknown), ("<s>", 0.0, control), ("</s>", 0.0, control)]
    texts = ["ll", "He", "Hell", "Hello", "\u2581w", "\u2581", *"Helo,w"]
    words = [(text, -float(i), normal) for i, text in enumerate(texts)]
    ids = b"".join(field(40 + i, i) for i in range(3))
    trainer = field(2, field(3, bpe) + ids)
    plain = field(3, field(1, b"identity") + field(4, 0))
    write("sentencepiece", "words", pieces(special + words) + trainer + plain)
    mapped = field(3, field(2, lower_case_a()) + field(3, 0) + field(4, 1) + field(5, 1))
    write("sentencepiece", "charsmap", pieces(special + words) + trainer + mapped)
    every_byte = [(f"<0x{value:02X}>", 0.0, byte) for value in range(256)]
    names = field(44, b"?") + field(46, b"<s>") + field(47, b"</s>")
    fallback = field(2, field(3, bpe) + field(35, 1) + names)
    write("sentencepiece", "bytes", pieces(special + every_byte + words) + fallback + plain)
    tokens = [bytes([value]) for value in range(256)] + [b"ll", b"He", b"Hell", b" w"]
    lines = [base64.b64encode(token) + f" {rank}\n".encode() for rank, token in enumerate(tokens)]
    write("sentencepiece", "tiktoken", b"".join(lines))


def pickle_text(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def pickle_number(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def pickle_tuple(*items):
    return b"(" + b"".join(items) + b"t"


def pickle_global(module, name):
    return f"c{module}\n{name}\n".encode()


def pickle_tensor(storage, key, count, sizes, strides, dtype=None, view=()):
    """What torch.save writes for a tensor: a call of a function on a storage."""
    module = "torch.storage" if storage == "UntypedStorage" else "torch"
    identity = [pickle_text("storage"), pickle_global(module, storage), pickle_text(key), pickle_text("cpu")]
    arguments = [pickle_tuple(*identity, pickle_number(count), *view) + b"Q", pickle_number(0)]
    arguments += [pickle_tuple(*map(pickle_number, sizes)), pickle_tuple(*map(pickle_number, strides))]
    arguments += [b"\x89", pickle_global("collections", "OrderedDict") + b")R"]
    if dtype:
        arguments.append(pickle_global("torch", dtype))
    function = "_rebuild_tensor_v3" if dtype else "_rebuild_tensor_v2"
    return pickle_global("torch._utils", function) + pickle_tuple(*arguments) + b"R"


def pickle_dict(items):
    return b"}(" + b"".join(pickle_text(name) + value for name, value in items.items()) + b"u"


def pickles():
    four = pickle_tensor("FloatStorage", "0", 4, [4], [1])
    columns = pickle_tensor("HalfStorage", "1", 32, [4, 4], [8, 2])
    tiny = pickle_tensor("UntypedStorage", "1", 64, [64], [1], "float8_e4m3fn")
    parameter = pickle_global("torch._utils", "_rebuild_parameter") + pickle_tuple(four, b"\x88", b"N") + b"R"
    shape = pickle_global("torch", "Size") + pickle_tuple(pickle_tuple(pickle_number(2))) + b"R"
    return {
        "plain": pickle_dict({"a": four, "b": columns}),
        "bytes": pickle_dict({"a": four, "c": tiny}),
        "nested": pickle_dict({"model": pickle_dict({"module.a": parameter}), "step": b"K\5", "shape": shape}),
        "noted": b"}q\0" + pickle_text("a") + b"q\1" + four + b"q\2s" + pickle_text("b") + b"h\2s" + pickle_text("l") + b"]Nas",
        "frames": b"\x95" + bytes(8) + b"}\x94\x8c\1a\x94" + four + b"\x94s",
    }


def pytorch_archive(data_pkl):
    names = {"data.pkl": data_pkl, "byteorder": b"little", "data/0": bytes(16), "data/1": bytes(64), "version": b"3\n"}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in names.items():
            archive.writestr(zipfile.ZipInfo(f"model/{name}"), content)
    return buffer.getvalue()


def pytorch_files():
    for name, opcodes in pickles().items():
        program = b"\x80\x02" + opcodes + b"."
        write("unpickler", name, program)
        write("pytorch", name, pytorch_archive(program))
    write("zip", "stored", pytorch_archive(b"\x80\x02N."))
    magic = b"\x8a\x0a" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
    machine = pickle_dict({"little_endian": b"\x88"})
    tensor = pickle_dict({"a": pickle_tensor("FloatStorage", "0", 4, [2, 2], [1, 2], view=[b"N"])})
    parts = [magic, pickle_number(1001), machine, tensor, b"]" + pickle_text("0") + b"a"]
    program = b"".join(b"\x80\x02" + part + b"." for part in parts)
    write("pytorch", "legacy", program + struct.pack("<q", 4) + bytes(16))


def main():
    shutil.rmtree(CORPUS, ignore_errors=True)
    tensors = [("w", "F32", [2, 3], b"<" * 24), ("b", "BF16", [4], b"<" * 8), ("none", "U8", [0, 5], b"")]
    write("safetensors", "three", safetensors(tensors, {"format": "pt"}))
    write("safetensors", "scalar", safetensors([("s", "F8_E4M3", [], b"x"), ("i", "I64", [1], b"12345678")]))
    tokenizers()
    sentencepieces()
    ggufs()
    configs()
    plans()
    shard_indices()
    templates()
    pytorch_files()


if __name__ == "__main__":
    main()

"""What the reference packages (gguf, safetensors, numpy) make of the same bytes. The C++ tests run one command each.

blocks OUT SEED COUNT   for each stored type, COUNT random blocks (TYPE.bin) and their values as f32 (TYPE.f32)
tiny-gguf OUT           a small llama as GGUF (tiny.gguf) and the Hugging Face values of its tensors (NAME.f32)
quantized OUT SEED COUNT  random values (values.f32) and the bytes that they are stored as (TYPE.bin)
check-export GGUF FOLDER  fails unless GGUF holds the tensors of the Hugging Face FOLDER as llama.cpp wants them
gguf-hashes FILE        a line a tensor: name, type, SHA-256 of its values as f32
safetensors OUT         a file of every dtype (all.safetensors) and each tensor's bytes (NAME.bin)
read-safetensors FILE   a line a tensor, by name: name, dtype, shape, SHA-256 of its bytes
try-safetensors FOLDER  a JSON list for the files 0, 1 ... of the folder: such lines, the names hashed, or null if it is refused
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

# Byte offsets of the f16 fields of a block: random bytes there would often be NaN or infinite.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0]}
HALVES |= {"Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "Q2_K": [80, 82], "Q3_K": [108], "Q8_K": []}
HALVES |= {"IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "MXFP4": []}


def random_blocks(name, count, random):
    """COUNT blocks of random bytes whose f16 fields are finite, of all magnitudes, subnormal and zero included."""
    import gguf

    kind = gguf.GGMLQuantizationType[name]
    blocks = random.integers(0, 256, (count, gguf.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for offset in HALVES[name]:
        scale = (random.standard_normal(count) * 10.0 ** random.integers(-8, 4, count)).astype(np.float16)
        scale[0] = 0.0
        blocks[:, offset : offset + 2] = scale.view(np.uint8).reshape(count, 2)
    if name == "Q8_K":
        blocks[:, :4] = random.standard_normal(count).astype(np.float32).view(np.uint8).reshape(count, 4)
    return blocks


def values_of(name, blocks):
    import gguf

    if name == "Q8_K":  # the package has the type but not its values: ggml-quants.c, dequantize_row_q8_K
        return blocks[:, :4].copy().view(np.float32) * blocks[:, 4:260].view(np.int8).astype(np.float32)
    with np.errstate(all="ignore"):
        return gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name]).astype(np.float32)


def write_blocks(out, seed, count):
    random = np.random.default_rng(int(seed))
    for name in HALVES:
        blocks = random_blocks(name, int(count), random)
        blocks.tofile(out / f"{name}.bin")
        values_of(name, blocks).tofile(out / f"{name}.f32")
    every = np.arange(65536, dtype=np.uint16)
    every.tofile(out / "F16.bin")
    every.view(np.float16).astype(np.float32).tofile(out / "F16.f32")
    every.tofile(out / "BF16.bin")
    values_of("BF16", every.view(np.uint8)).tofile(out / "BF16.f32")


def permute(weights, heads):
    """llama.cpp's reordering of q and k rows: the halves of each head are interleaved."""
    shape = weights.shape
    return weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def write_tiny_gguf(out):
    import gguf

    random = np.random.default_rng(5)
    hidden, inner, heads, kv_heads, head_dim, vocab = 256, 512, 4, 2, 64, 96
    writer = gguf.GGUFWriter(out / "tiny.gguf", "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_block_count(1)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(500000.0)
    writer.add_token_list([f"t{i}" for i in range(vocab)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    def add(gguf_name, hf_name, shape, kind, num_heads=0):
        values = random.standard_normal(shape).astype(np.float32)
        stored = permute(values, num_heads) if num_heads else values
        if kind.endswith("_K"):
            rows, width = shape
            blocks = random_blocks(kind, rows * width // 256, random).reshape(rows, -1)
            values_of(kind, blocks).tofile(out / f"{hf_name}.f32")
            writer.add_tensor(gguf_name, blocks, raw_dtype=gguf.GGMLQuantizationType[kind])
            return
        raw = gguf.GGMLQuantizationType[kind]
        data = gguf.quants.quantize(stored, raw)
        writer.add_tensor(gguf_name, data, raw_dtype=None if kind == "F32" else raw)
        # Blocks run along a row, so quantising and reordering rows commute.
        gguf.quants.dequantize(gguf.quants.quantize(values, raw), raw).astype(np.float32).tofile(out / f"{hf_name}.f32")

    layer, hf = "blk.0.", "model.layers.0."
    add("token_embd.weight", "model.embed_tokens.weight", (vocab, hidden), "Q8_0")
    add("output_norm.weight", "model.norm.weight", (hidden,), "F32")
    add("output.weight", "lm_head.weight", (vocab, hidden), "Q6_K")
    add(layer + "attn_norm.weight", hf + "input_layernorm.weight", (hidden,), "F32")
    add(layer + "attn_q.weight", hf + "self_attn.q_proj.weight", (heads * head_dim, hidden), "Q4_0", heads)
    add(layer + "attn_q.bias", hf + "self_attn.q_proj.bias", (heads * head_dim,), "F32", heads)
    add(layer + "attn_k.weight", hf + "self_attn.k_proj.weight", (kv_heads * head_dim, hidden), "F16", kv_heads)
    add(layer + "attn_k.bias", hf + "self_attn.k_proj.bias", (kv_heads * head_dim,), "F32", kv_heads)
    add(layer + "attn_v.weight", hf + "self_attn.v_proj.weight", (kv_heads * head_dim, hidden), "BF16")
    add(layer + "attn_output.weight", hf + "self_attn.o_proj.weight", (hidden, heads * head_dim), "Q5_1")
    add(layer + "ffn_norm.weight", hf + "post_attention_layernorm.weight", (hidden,), "F32")
    add(layer + "ffn_gate.weight", hf + "mlp.gate_proj.weight", (inner, hidden), "Q4_K")
    add(layer + "ffn_up.weight", hf + "mlp.up_proj.weight", (inner, hidden), "Q5_K")
    add(layer + "ffn_down.weight", hf + "mlp.down_proj.weight", (hidden, inner), "Q5_0")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_quantized(out, seed, count):
    import gguf

    random = np.random.default_rng(int(seed))
    blocks = random.standard_normal((int(count), 32)) * 10.0 ** random.integers(-9, 6, (int(count), 1))
    values = blocks.astype(np.float32)
    values[0] = 0.0
    values[1] = np.abs(values[1]).max()  # all equal
    values[2, ::2] = -values[2, 1::2]  # extremes of both signs
    values[3] = np.arange(32) - 15.5
    values.tofile(out / "values.f32")
    with np.errstate(all="ignore"):
        for name in ["F32", "F16", "BF16", "Q8_0", "Q4_0"]:
            gguf.quants.quantize(values, gguf.GGMLQuantizationType[name]).tofile(out / f"{name}.bin")


def expected_tensors(name, value, config):
    """What llama.cpp's converter makes of one Hugging Face tensor, but for the stacking of experts."""
    value = value.squeeze()
    mla = "kv_lora_rank" in config
    heads, kv_heads = config["num_attention_heads"], config.get("num_key_value_heads")
    if name.endswith("e_score_correction_bias"):
        name = name.replace("e_score_correction_bias", "e_score_correction.bias")
    if name.endswith("kv_b_proj.weight"):
        nope = config["qk_nope_head_dim"]
        per_head = value.reshape(heads, -1, value.shape[-1])
        yield name.replace("kv_b_proj", "k_b_proj"), per_head[:, :nope].swapaxes(1, 2)
        yield name.replace("kv_b_proj", "v_b_proj"), per_head[:, nope:]
        return
    if config["model_type"] in ["llama", "mixtral"] and not mla:
        if ".q_proj." in name:
            value = permute(value, heads)
        if ".k_proj." in name:
            value = permute(value, kv_heads)
    yield name, value


def check_export(path, folder):
    import json

    import gguf
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    reader = gguf.GGUFReader(path)
    architecture = reader.fields["general.architecture"].contents()
    kind = {text: key for key, text in gguf.MODEL_ARCH_NAMES.items()}[architecture]
    name_map = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    found = {tensor.name: tensor.data.reshape([int(n) for n in reversed(tensor.shape)]) for tensor in reader.tensors}
    experts = {}
    checked = 0
    tensors = load_file(folder / "model.safetensors")
    if architecture == "qwen2moe":  # its loader takes no head from the embedding
        tensors.setdefault("lm_head.weight", tensors["model.embed_tokens.weight"])
    for hf_name, hf_value in tensors.items():
        for name, value in expected_tensors(hf_name, hf_value, config):
            parts = name.split(".")
            if "experts" in parts:
                index = parts.index("experts")
                merged = ".".join(parts[: index + 1] + parts[index + 2 :])
                if "block_sparse_moe" in parts:
                    merged = f"layers.{parts[2]}.feed_forward.experts.{parts[-2]}.weight"
                experts.setdefault(merged, {})[int(parts[index + 1])] = value
                continue
            theirs = name_map.get_name(name, try_suffixes=(".weight", ".bias"))
            assert np.array_equal(found[theirs], value), (name, theirs)
            checked += 1
    for name, stack in experts.items():
        theirs = name_map.get_name(name, try_suffixes=(".weight",))
        assert np.array_equal(found[theirs], np.stack([stack[i] for i in range(len(stack))])), (name, theirs)
        checked += 1
    assert checked == len(found), (checked, sorted(found))


def print_gguf_hashes(path):
    import gguf

    for tensor in gguf.GGUFReader(path).tensors:
        values = gguf.quants.dequantize(np.asarray(tensor.data), tensor.tensor_type).astype(np.float32)
        print(tensor.name, tensor.tensor_type.name, hashlib.sha256(values.tobytes()).hexdigest())


def write_safetensors(out):
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(3)
    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
    dtypes += [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
    tensors = {}
    for index, dtype in enumerate(dtypes):
        tensors[f"t{index}"] = (torch.randn(3, 5) * 20).to(dtype)
    every_byte = torch.arange(256, dtype=torch.uint8)
    tensors["every_e4m3"] = every_byte.clone().view(torch.float8_e4m3fn)
    tensors["every_e5m2"] = every_byte.clone().view(torch.float8_e5m2)
    tensors["scalar"] = torch.tensor(1.5)
    tensors["empty"] = torch.zeros(0, 4)
    save_file(tensors, out / "all.safetensors", metadata={"format": "pt", "note": "käse"})
    for name, tensor in tensors.items():
        tensor.contiguous().view(-1).view(torch.uint8).numpy().tofile(out / f"{name}.bin")
        tensor.to(torch.float32).numpy().tofile(out / f"{name}.f32")


def print_safetensors(path):
    import json

    from safetensors import deserialize, safe_open

    with safe_open(path, framework="np") as file:
        print("metadata", json.dumps(file.metadata(), sort_keys=True))
    for name, info in sorted(deserialize(Path(path).read_bytes())):
        print(name, info["dtype"], info["shape"], hashlib.sha256(bytes(info["data"])).hexdigest())


def try_safetensors(folder):
    import json

    from safetensors import SafetensorError, deserialize

    def lines(path):
        try:
            tensors = deserialize(path.read_bytes())
        except SafetensorError:
            return None
        found = []
        for name, info in tensors:
            shape = "[" + ", ".join(map(str, info["shape"])) + "]"
            hashes = [hashlib.sha256(data).hexdigest() for data in (name.encode(), bytes(info["data"]))]
            found.append(f"{hashes[0]} {info['dtype']} {shape} {hashes[1]}\n")
        return "".join(sorted(found))

    print(json.dumps([lines(path) for path in sorted(Path(folder).iterdir(), key=lambda path: int(path.name))]))


COMMANDS = {
    "blocks": lambda out, seed, count: write_blocks(Path(out), seed, count),
    "tiny-gguf": lambda out: write_tiny_gguf(Path(out)),
    "quantized": lambda out, seed, count: write_quantized(Path(out), seed, count),
    "check-export": lambda path, folder: check_export(path, Path(folder)),
    "gguf-hashes": print_gguf_hashes,
    "safetensors": lambda out: write_safetensors(Path(out)),
    "read-safetensors": print_safetensors,
    "try-safetensors": try_safetensors,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])

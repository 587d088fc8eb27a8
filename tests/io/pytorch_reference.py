"""Writes PyTorch files as PyTorch itself does, and what is in them, into folders of OUT:

files    the same tensors (every dtype, views, parameters, names that share values) as zip, legacy, other protocols and
         without checksums; expected.txt has a line a tensor, by name: name, dtype, shape, SHA-256 of its values as f32
nested   the tensors "a" and "b" under the names that training scripts give them, a file a way
sharded  two shards and an index; expected.txt
hf       a small Llama as Hugging Face's safetensors
meta1    the same as one shard of Meta's; meta2, meta4
"""

import collections
import hashlib
import json
import sys
from pathlib import Path

import torch

NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def describe(out, tensors):
    with (out / "expected.txt").open("w") as file:
        for name, tensor in sorted(tensors.items()):
            values = tensor.detach().to(torch.float32).contiguous().numpy().tobytes()
            print(name, NAMES[tensor.dtype], list(tensor.shape), hashlib.sha256(values).hexdigest(), file=file)


def every_tensor():
    torch.manual_seed(7)
    base = torch.randn(6, 8)
    tensors = {f"dtype.{name}": (base * 3).abs().to(dtype) for dtype, name in NAMES.items()}
    tensors |= {
        "view.transposed": base.t(),
        "view.rows": base[2:5],
        "view.columns": base[:, 3:7],
        "view.steps": base[::2, 1::3],
        "view.permuted": torch.randn(3, 4, 5).permute(2, 0, 1),
        "view.bf16": torch.randn(5, 9).bfloat16().t(),
        "view.f8": torch.randn(5, 9).to(torch.float8_e4m3fn).t(),
        "scalar": torch.tensor(2.5),
        "one": torch.randn(1, 1, 1),
        "empty": torch.zeros(0, 4),
        "parameter": torch.nn.Parameter(torch.randn(4, 3)),
        "frozen": torch.nn.Parameter(torch.randn(4, 3), requires_grad=False),
        "broadcast": torch.randn(3, 1).expand(3, 1),
    }
    tensors["tied"] = tensors["parameter"]
    tensors["same"] = tensors["dtype.F32"]
    return tensors


def write_files(out):
    tensors = every_tensor()
    save = torch.save
    save(tensors, out / "zip.pt")
    save(tensors, out / "legacy.pt", _use_new_zipfile_serialization=False)
    save(tensors, out / "protocol4.pt", pickle_protocol=4)
    save(tensors, out / "protocol5.pt", pickle_protocol=5)
    save(tensors, out / "legacy4.pt", pickle_protocol=4, _use_new_zipfile_serialization=False)
    save(collections.OrderedDict(tensors), out / "ordered.pt")
    torch.serialization.set_crc32_options(False)
    save(tensors, out / "no_checksum.pt")
    torch.serialization.set_crc32_options(True)
    describe(out, tensors)


def write_nested(out):
    a, b = torch.arange(6.0).view(2, 3), torch.arange(4.0)
    model = torch.nn.Module()
    model.a, model.b = torch.nn.Parameter(a.clone()), torch.nn.Parameter(b.clone())
    optimizer = torch.optim.AdamW(model.parameters())
    (model.a.sum() + model.b.sum()).backward()
    optimizer.step()
    with torch.no_grad():
        model.a.copy_(a)
        model.b.copy_(b)
    plain = model.state_dict()
    wrapped = {f"module.{name}": value for name, value in plain.items()}
    compiled = {f"module._orig_mod.{name}": value for name, value in plain.items()}
    llama = {"model.embed_tokens.weight": plain["a"], "lm_head.weight": plain["b"]}
    ways = {
        "plain": plain,
        "wrapped": wrapped,
        "compiled": compiled,
        "model": {"model": plain, "optimizer": optimizer.state_dict(), "model_args": {"n_layer": 12}, "best": b.sum()},
        "lightning": {"epoch": 3, "pytorch-lightning_version": "2.1", "state_dict": plain, "lr_schedulers": []},
        "lightning_llama": {"state_dict": {f"model.{name}": value for name, value in llama.items()}},
        "deep": {"model": {"state_dict": wrapped}, "step": 10**12, "rng": torch.get_rng_state().tolist()[:4]},
        "extras": {**plain, "device": torch.device("cuda:1"), "size": torch.Size([2, 3]), "dtype": torch.bfloat16},
    }
    for name, value in ways.items():
        torch.save(value, out / f"{name}.zip.pt")
        torch.save(value, out / f"{name}.legacy.pt", _use_new_zipfile_serialization=False)


def write_sharded(out):
    tensors = {name: value for name, value in every_tensor().items() if name not in ("tied", "same")}
    names = sorted(tensors)
    weight_map = {}
    for i, part in enumerate((names[::2], names[1::2]), start=1):
        shard = f"pytorch_model-{i:05}-of-00002.bin"
        torch.save({name: tensors[name] for name in part}, out / shard)
        weight_map |= {name: shard for name in part}
    (out / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (out / "config.json").write_text('{"model_type": "llama"}')
    describe(out, tensors)


def interleaved(weight, heads):
    """Hugging Face's rows of q or k in Meta's order: the two halves of each head alternate."""
    rows, columns = weight.shape
    return weight.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def check_scores(hf_q, meta_q, heads, theta):
    """That Meta's rotation of Meta's rows gives the scores that Hugging Face's gives of its own."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    dim, size, tokens = hf_q.shape[1], hf_q.shape[0] // heads, 5
    x = torch.randn(1, tokens, dim, dtype=torch.float64)
    angles = torch.outer(torch.arange(tokens).double(), theta ** -(torch.arange(0, size, 2).double() / size))
    pairs = torch.view_as_complex((x @ meta_q.double().t()).view(1, tokens, heads, size // 2, 2).contiguous())
    ours = torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)[None, :, None]).flatten(-2)
    q = (x @ hf_q.double().t()).view(1, tokens, heads, size).transpose(1, 2)
    doubled = torch.cat((angles, angles), -1)[None]
    theirs, _ = apply_rotary_pos_emb(q, q, doubled.cos(), doubled.sin())
    ours = ours.transpose(1, 2)
    assert torch.allclose(ours @ ours.transpose(-1, -2), theirs @ theirs.transpose(-1, -2)), "another permutation"


def write_hf(out):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=96,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(out)
    return config, model.state_dict()


def write_meta(out, shards, config, hf):
    rows, columns = 0, 1
    names = {"tok_embeddings": ("model.embed_tokens", columns), "norm": ("model.norm", None), "output": ("lm_head", rows)}
    for i in range(config.num_hidden_layers):
        layer = {
            "attention.wq": ("self_attn.q_proj", rows),
            "attention.wk": ("self_attn.k_proj", rows),
            "attention.wv": ("self_attn.v_proj", rows),
            "attention.wo": ("self_attn.o_proj", columns),
            "feed_forward.w1": ("mlp.gate_proj", rows),
            "feed_forward.w2": ("mlp.down_proj", columns),
            "feed_forward.w3": ("mlp.up_proj", rows),
            "attention_norm": ("input_layernorm", None),
            "ffn_norm": ("post_attention_layernorm", None),
        }
        names |= {f"layers.{i}.{meta}": (f"model.layers.{i}.{name}", split) for meta, (name, split) in layer.items()}

    parts = [{"rope.freqs": torch.zeros(4, dtype=torch.bfloat16)} for _ in range(shards)]
    for meta, (name, split) in names.items():
        weight = hf[f"{name}.weight"]
        if "q_proj" in name or "k_proj" in name:
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            weight = interleaved(weight, heads)
            check_scores(hf[f"{name}.weight"], weight, heads, 10000.0)
        pieces = [weight] * shards if split is None else weight.chunk(shards, split)
        for part, piece in zip(parts, pieces):
            part[f"{meta}.weight"] = piece.clone(memory_format=torch.contiguous_format)
    for i, part in enumerate(parts):
        torch.save(part, out / f"consolidated.{i:02}.pth")
    params = {"dim": 64, "n_layers": 2, "n_heads": 8, "n_kv_heads": 4, "multiple_of": 32, "norm_eps": 1e-5, "vocab_size": -1}
    params |= {"ffn_dim_multiplier": 1.1}
    (out / "params.json").write_text(json.dumps(params))


def folder(name):
    out = Path(sys.argv[1]) / name
    out.mkdir()
    return out


if __name__ == "__main__":
    write_files(folder("files"))
    write_nested(folder("nested"))
    write_sharded(folder("sharded"))
    config, tensors = write_hf(folder("hf"))
    for shards in (1, 2, 4):
        write_meta(folder(f"meta{shards}"), shards, config, tensors)

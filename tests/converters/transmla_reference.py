"""TransMLA on one attention layer, written from the paper (arXiv:2502.07864) in complex numbers and float64.

Reads JSON {config, plan, weights, x} on stdin and prints JSON {stages, eigenvalues, output}: for each stage the relative
error of the layer's output, the spectrum of the balanced joint second moment, and the output after the low rank.
"""
import json
import sys

import numpy as np

given = json.load(sys.stdin)
heads, groups, dim, theta = (given["config"][k] for k in ("heads", "groups", "head_dim", "theta"))
rope_dim, rank, fold, balance = (given["plan"][k] for k in ("rope_dim", "rank", "freqfold", "balance"))
weights = {name: np.array(value) for name, value in given["weights"].items()}
x = np.array(given["x"])  # [windows, tokens, hidden]
windows, tokens, _ = x.shape
half = dim // 2
collapse = max(1, dim // rope_dim)
frequencies = theta ** (-np.arange(half) / half)


def project(name):
    return x @ weights[name].T + weights.get(name + "_bias", 0.0)


def complex_pairs(y, count):
    y = y.reshape(windows, tokens, count, dim)
    return y[..., :half] + 1j * y[..., half:]


query, key = complex_pairs(project("q"), heads), complex_pairs(project("k"), groups)
value = project("v").reshape(windows, tokens, groups, dim)
group_of = np.arange(heads) // (heads // groups)


def layer_output(terms, v):
    """terms: (q [w,t,H,n], k [w,t,n], frequency or 0 for each n) of complex components; v [w,t,G,d]."""
    angle = np.exp(1j * np.arange(tokens)[:, None] * terms[2])
    q, k = terms[0] * angle[None, :, None], terms[1] * angle[None]
    scores = np.einsum("wthn,wsn->whts", q.conj(), k).real / np.sqrt(dim)
    scores = np.where(np.tril(np.ones((tokens, tokens), bool)), scores, -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    out = np.einsum("whts,wshd->wthd", p, v[:, :, group_of])
    return out.reshape(windows, tokens, -1) @ weights["o"].T + weights.get("o_bias", 0.0)


# The original layer: every head's key is a component of its own, which other heads' queries do not see.
spread = np.zeros((windows, tokens, heads, groups, half), complex)
spread[:, :, np.arange(heads), group_of] = query
original = layer_output((spread.reshape(windows, tokens, heads, -1), key.reshape(windows, tokens, -1),
                         np.tile(frequencies, groups)), value)
stages = {}


def record(stage, output):
    stages[stage] = np.linalg.norm(output - original) / np.linalg.norm(original)
    return output


kept, dropped = [], []  # (query components, key component, frequency while it turns)
slots = fold // collapse
keep = rope_dim // 2 // (half // fold)
for i in range(half // fold):
    of_group = slice(i * fold, (i + 1) * fold)

    def head_axis(z):  # (groups, fold / collapse, collapse) -> (collapse, groups, fold / collapse), flat
        z = z[..., of_group].reshape(*z.shape[:-1], slots, collapse)
        return np.moveaxis(z, -1, -3).reshape(*z.shape[:-3], -1)

    k, q = head_axis(key), head_axis(spread)
    samples = np.concatenate([k.real.reshape(-1, k.shape[-1]), k.imag.reshape(-1, k.shape[-1])])
    moment = samples.T @ samples
    moment += 0.01 * np.diag(moment).mean() * np.eye(len(moment))
    basis = np.linalg.eigh(moment)[1][:, ::-1]
    for p in range(basis.shape[1]):
        # Rotated heads take the strided frequencies in turn.
        component = (q @ basis[:, p], k @ basis[:, p], frequencies[::collapse][i * slots + p % slots])
        (kept if p < keep else dropped).append(component)


def stack(components, turning):
    return (np.stack([c[0] for c in components], -1), np.stack([c[1] for c in components], -1),
            np.array([c[2] * turning for c in components]))


def together(a, b):
    return tuple(np.concatenate(both, -1) for both in zip(a, b))


record("rotate", layer_output(together(stack(kept, 1), stack(dropped, 1)), value))
nope = stack(dropped, 0)
record("partial rope", layer_output(together(stack(kept, 1), nope), value))

free = np.concatenate([nope[1].real, nope[1].imag], -1).reshape(windows * tokens, -1)
flat_value = value.reshape(windows * tokens, -1)
column_norms = [np.linalg.norm(columns, axis=0).mean() for columns in (free, flat_value[:, rope_dim:])]
ratio = column_norms[0] / (column_norms[1] * balance)
joint = np.concatenate([free / ratio, flat_value], 1)
moment = joint.T @ joint
damped = moment + 0.01 * np.diag(moment).mean() * np.eye(len(moment))
basis = np.linalg.eigh(damped)[1][:, ::-1][:, :rank]
cut = joint @ basis @ basis.T
width = nope[1].shape[-1]
cut_key = (cut[:, :width] + 1j * cut[:, width:2 * width]).reshape(windows, tokens, width) * ratio
output = record("low rank", layer_output(together(stack(kept, 1), (nope[0], cut_key, nope[2])),
                                         cut[:, 2 * width:].reshape(windows, tokens, groups, dim)))
eigenvalues = np.clip(np.linalg.eigvalsh(moment)[::-1], 0, None) / (windows * tokens)
json.dump({"stages": stages, "eigenvalues": eigenvalues.tolist(), "output": output.ravel().tolist()}, sys.stdout)

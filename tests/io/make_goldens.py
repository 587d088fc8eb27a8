"""Writes tests/io/goldens/*: a few random blocks of each quantised type and the values that the gguf package gives.

Run it with the reference Python: `python tests/io/make_goldens.py`. The goldens keep tests meaningful where that Python
is not installed; dequantize_test.cpp also compares with the package itself where it is.
"""

from pathlib import Path

import numpy as np

from reference import QUANTS, random_blocks, values_of

out = Path(__file__).parent / "goldens"
out.mkdir(exist_ok=True)
random = np.random.default_rng(11)
for name in QUANTS:
    blocks = random_blocks(name, 2 if name.endswith("_K") else 8, random)
    blocks.tofile(out / f"{name}.bin")
    values_of(name, blocks).tofile(out / f"{name}.f32")

"""Writes tests/io/goldens/*: a few random blocks of each quantised type and the values that the gguf package gives.

Run it with the reference Python: `python tests/io/make_goldens.py`. The goldens keep tests meaningful where that Python
is not installed; dequantize_test.cpp also compares with the package itself where it is.
"""

from pathlib import Path

import numpy as np

from reference import HALVES, random_blocks, values_of

out = Path(__file__).parent / "goldens"
out.mkdir(exist_ok=True)
random = np.random.default_rng(11)
for name in HALVES:
    blocks = random_blocks(name, 8 if name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL", "MXFP4"] else 2, random)
    blocks.tofile(out / f"{name}.bin")
    values_of(name, blocks).tofile(out / f"{name}.f32")

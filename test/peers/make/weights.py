"""Random weights that behave: finite logits, attention that looks somewhere, and a next token that depends on the prompt.

A 4-bit matrix is integers 1..15 around 8 with one fp16 scale per block of 32 along the input: exactly what q4_0 stores and
what MatMulNBits computes, so both files hold the same numbers. Every tensor draws from a generator seeded by its own name:
the order in which a writer asks does not matter.
"""

from zlib import crc32

import numpy as np

BLOCK = 32
SPREAD = np.sqrt((15**2 - 1) / 12)  # standard deviation of the integers 1..15


class Weights:
    def __init__(self, shape, seed):
        self.shape, self.seed = shape, seed

    def matrix(self, name):
        """(integers uint8 [rows, blocks, 32], scales float16 [rows, blocks])"""
        rows, columns, deviation = self.sizes(name)
        rng = self.rng(name)
        integers = rng.integers(1, 16, size=(rows, columns // BLOCK, BLOCK), dtype=np.uint8)
        scales = rng.uniform(0.75, 1.25, size=integers.shape[:2]) * (deviation / SPREAD)
        return integers, scales.astype(np.float16)

    def norm(self, name):
        return self.rng(name).uniform(0.8, 1.2, self.shape.hidden).astype(np.float32)

    def bias(self, name):
        rows = self.shape.q_rows if name.endswith("q") else self.shape.kv_rows
        return self.rng(name + ".bias").normal(0, 0.1, rows).astype(np.float32)

    def sizes(self, name):
        """Rows, columns and standard deviation. A small embedding lets the layers, not the last token, choose the next one."""
        s = self.shape
        kind = name.split(".")[-1]
        rows, columns, gain = {
            "embedding": (s.vocab, s.hidden, 0.1 * np.sqrt(s.hidden)),
            "q": (s.q_rows, s.hidden, 1.7),
            "k": (s.kv_rows, s.hidden, 1.7),
            "v": (s.kv_rows, s.hidden, 1.0),
            "o": (s.hidden, s.q_rows, 1.5),
            "gate": (s.mlp, s.hidden, 1.0),
            "up": (s.mlp, s.hidden, 1.0),
            "down": (s.hidden, s.mlp, 1.0),
        }[kind]
        return rows, columns, gain / np.sqrt(columns)

    def rng(self, name):
        return np.random.default_rng([self.seed, crc32(f"{self.shape.name}/{name}".encode())])

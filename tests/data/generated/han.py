"""Chinese text drawn by NumPy: words of two letters, in topics, with words of other scripts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Words"]

_BYTES = 6


class Words:
    """A vocabulary of words of six bytes each: two Han letters, or six of the Latin script.

    Args:
        topics: in which the words fall.
        words: of each topic, the first of them Latin.
        seed: of the draw.
    """

    def __init__(self, topics: int, words: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.topics, self.words = topics, words
        letters = [chr(code) for code in range(0x4E00, 0x4E00 + 6000)]
        pairs = rng.integers(0, len(letters), (topics, words, 2))
        whole = [
            f"w{topic:05d}" if word == 0 else letters[one] + letters[two]
            for topic, row in enumerate(pairs.tolist())
            for word, (one, two) in enumerate(row)
        ]
        joined = "".join(whole).encode("utf-8")
        self._bytes = np.frombuffer(joined, dtype=np.uint8).reshape(topics * words, _BYTES)

    def texts(
        self, topic: NDArray[np.integer], length: NDArray[np.integer], rng: np.random.Generator
    ) -> pa.Array:
        """Return texts of ``length`` words of a ``topic`` each, without blanks, ``[texts]``."""
        owner = np.repeat(topic, length).astype(np.int64)
        word = owner * self.words + rng.integers(0, self.words, len(owner))
        offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int64) * _BYTES
        data = self._bytes[word].tobytes()
        buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data)]
        return pa.LargeStringArray.from_buffers(len(length), buffers[1], buffers[2]).cast(
            pa.string()
        )

"""Words that nobody has used: distinct, pronounceable, and left alone by stemmers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

__all__ = ["made_up"]

_CONSONANTS = np.frombuffer(b"bdfgklmnprstvz", dtype=np.uint8)
_VOWELS = np.frombuffer(b"aou", dtype=np.uint8)
"""No English ending that a stemmer takes off ends in one of these."""
_SYLLABLES = len(_CONSONANTS) * len(_VOWELS)
_MIXER = 0x9E3779B1
"""A prime, so that multiplying by it spreads numbers and maps no two to one."""


def made_up(count: int) -> pa.Array:
    """Return ``count`` words, up to 3 * 10**9; three syllables each, or as many as it needs."""
    syllables = 3
    while _SYLLABLES**syllables < count:
        syllables += 1
    rest = np.arange(count) * _MIXER % _SYLLABLES**syllables
    letters = np.empty((count, 2 * syllables), dtype=np.uint8)
    for place in range(syllables):
        rest, syllable = np.divmod(rest, _SYLLABLES)
        consonant, vowel = np.divmod(syllable, len(_VOWELS))
        letters[:, 2 * place] = _CONSONANTS[consonant]
        letters[:, 2 * place + 1] = _VOWELS[vowel]
    offsets = np.arange(count + 1, dtype=np.int64) * letters.shape[1]
    data = [None, pa.py_buffer(offsets), pa.py_buffer(letters.tobytes())]
    return pa.Array.from_buffers(pa.large_string(), count, data)

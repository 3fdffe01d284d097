"""Which items BERT4Rec has to tell: RecBole's transform ``mask_itemseq`` on whole arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["masked"]


def masked(
    length: NDArray[np.int64], window: int, ratio: float, most: int, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Choose places to mask.

    RecBole's loss leaves place 0 out, so the last place is masked where nothing behind place 0
    was drawn.

    Args:
        length: items of each sequence, int64 ``[rows]``, at least 2.
        window: places of a sequence.
        ratio: chance of each item.
        most: places of a row that count in the loss, the last ones if more were drawn.
        rng: draws.

    Returns:
        the mask ``[rows, window]``, and the masked places ``[rows, most]``, ascending, with 0
        in front of them where there are fewer.
    """
    places = np.arange(window)
    mask = (rng.random((len(length), window)) < ratio) & (places < length[:, None])
    none = ~mask[:, 1:].any(axis=1)
    mask[none, length[none] - 1] = True
    chosen = np.sort(np.where(mask, places, 0), axis=1)
    return mask, chosen[:, window - min(most, window) :]

"""Scores of the whole catalogue as inner products."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["fill_products"]


def fill_products(scores: NDArray[np.float32], states: Tensor, table: Tensor) -> None:
    """Fill ``scores`` with the inner product of each state and each item's vector.

    They are written where they stay: over a million items, new memory for a result costs as much as
    the products.

    Args:
        scores: ``[requests, items]``, contiguous.
        states: ``[requests, width]``, without gradients.
        table: ``[items, width]``, likewise.
    """
    if states.device.type == "cpu" and states.dtype == torch.float32:
        torch.matmul(states, table.T, out=torch.from_numpy(scores))
    else:
        scores[...] = (states @ table.T).float().cpu().numpy()

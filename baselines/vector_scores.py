"""Scores that are products of a request's vector with those of items."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.requests import Requests

__all__ = ["products"]


def products(vectors: Tensor, table: Tensor, requests: Requests) -> NDArray[np.float32]:
    """Return a score for each candidate, or for each item where there are no candidates.

    Args:
        vectors: of the requests, ``[requests, width]``.
        table: of the items, ``[items, width]``.
        requests: have the candidates.
    """
    if requests.candidates is None:
        scores = vectors @ table.T
    else:
        items = torch.as_tensor(requests.candidates.astype(np.int64), device=table.device)
        scores = torch.einsum("bd,bcd->bc", vectors, table[items])
    return scores.float().cpu().numpy()

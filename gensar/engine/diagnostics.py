"""What identifiers are like: how evenly codes are used, and whether neighbours share a prefix."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.model_protocols import LevelUse, PrefixShare

__all__ = ["code_use", "neighbours_kept"]

NEIGHBOURS = 10
SAMPLED = 2000
"""Items whose neighbours are looked at; of a larger catalogue a random sample."""


def code_use(codes: NDArray[np.integer], sizes: tuple[int, ...]) -> tuple[LevelUse, ...]:
    """Return for each level how its codes are used.

    Args:
        codes: ``[items, levels]``.
        sizes: number of codes of each level.
    """
    levels = []
    for column, size in zip(codes.T, sizes, strict=True):
        share = np.unique(column, return_counts=True)[1] / len(column)
        perplexity = float(np.exp(-(share * np.log(share)).sum()))
        levels.append(LevelUse(size, len(share), perplexity))
    return tuple(levels)


def neighbours_kept(vectors: Tensor, codes: NDArray[np.int64]) -> tuple[PrefixShare, ...]:
    """Return how many of an item's nearest items share a prefix of its identifier with it.

    Args:
        vectors: ``[items, width]``; nearness is Euclidean.
        codes: ``[items, levels]``.

    Returns:
        for prefixes of one code, two, …: who has the same prefix, of the :data:`NEIGHBOURS`
        nearest items; empty where there are not more items than neighbours.
    """
    items, levels = codes.shape
    if items <= NEIGHBOURS:
        return ()
    sample: NDArray[np.int64] = np.arange(items)
    if items > SAMPLED:
        sample = np.random.default_rng(0).choice(items, SAMPLED, replace=False)
    near = _nearest(vectors, torch.as_tensor(sample, device=vectors.device))
    same = codes[near.cpu().numpy()] == codes[sample][:, None]
    shares = []
    for length in range(1, levels + 1):
        _, group, sizes = np.unique(
            codes[:, :length], axis=0, return_inverse=True, return_counts=True
        )
        others = sizes[group.ravel()] - 1
        kept = float(same[:, :, :length].all(axis=2).mean())
        shares.append(PrefixShare(kept, float(others.mean() / (items - 1))))
    return tuple(shares)


def _nearest(vectors: Tensor, rows: Tensor, batch: int = 256) -> Tensor:
    """Return ``[rows, NEIGHBOURS]``, the items nearest to each of ``rows`` and other than it."""
    parts = []
    for part in rows.split(batch):
        distance = torch.cdist(vectors[part], vectors)
        distance.scatter_(1, part.unsqueeze(1), torch.inf)
        parts.append(distance.topk(NEIGHBOURS, dim=1, largest=False).indices)
    return torch.cat(parts)

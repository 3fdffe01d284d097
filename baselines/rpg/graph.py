"""Decoding along a graph: from random items to those around them that score best, step by step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.rpg.network import sums_of_codes
from benchmark.needs import rows_at_once
from benchmark.top_k import top_k

__all__ = ["alike_items", "walk"]


def alike_items(books: Tensor, tokens: Tensor, edges: int) -> NDArray[np.int32]:
    """Return the most alike items of each item, itself among them, int32 ``[items, edges]``.

    Likeness is the mean over digits of (1 + cosine of the codes' embeddings) / 2. There are no more
    edges than items.

    Args:
        books: unit vectors ``[digits, codes, width]``.
        tokens: rows of the table of all digits' codes, int64 ``[items, digits]``.
        edges: how many.
    """
    items, digits = tokens.shape
    cosines = books @ books.transpose(1, 2)
    own = tokens - len(books[0]) * torch.arange(digits, device=tokens.device)
    nearest = np.empty((items, min(edges, items)), dtype=np.int32)
    size = rows_at_once(items)
    for start in range(0, items, size):
        codes = own[start : start + size].T
        likeness = (1 + cosines[torch.arange(digits)[:, None], codes]) / (2 * digits)
        values = sums_of_codes(likeness, tokens).cpu().numpy()
        nearest[start : start + size] = top_k(values, nearest.shape[1])[0]
    return nearest


def walk(
    values: Tensor, tokens: Tensor, graph: Tensor, starts: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Return the best items that are met, best first, and their scores, both ``[n, beams]``.

    At every step the beams and all their neighbours are scored, and the best of them are the next
    beams. Equal scores come in the order of the items.

    Args:
        values: log-probabilities ``[digits, n, codes]``.
        tokens: rows of the table of all digits' codes, int64 ``[items, digits]``.
        graph: int64 ``[items, edges]``.
        starts: int64 ``[n, beams]``, distinct in a row.
        steps: how many.
    """
    flat = values.transpose(0, 1).flatten(1)
    beams = starts.sort(dim=1).values
    scores = _scores(flat, tokens, beams)
    for number in range(steps + 1):
        if number:
            reached = torch.cat([beams, graph[beams].flatten(1)], dim=1).sort(dim=1).values
            scores = _scores(flat, tokens, reached)
            scores[:, 1:][reached[:, 1:] == reached[:, :-1]] = -torch.inf
            beams = reached
        order = scores.sort(dim=1, descending=True, stable=True).indices[:, : starts.shape[1]]
        beams, scores = beams.gather(1, order), scores.gather(1, order)
    return beams, scores


def _scores(flat: Tensor, tokens: Tensor, items: Tensor) -> Tensor:
    """Return sums of ``flat`` (``[n, digits * codes]``) at the codes of items (``[n, k]``)."""
    found = flat.gather(1, tokens[items].flatten(1))
    return found.view(*items.shape, -1).sum(dim=-1)

"""Losses at the positions of a sequence: which state predicts a target, and against what."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["catalogue_loss", "states_at"]

LOGITS_AT_ONCE = 2**24
"""Upper bound of the logits that a softmax over the catalogue holds at a time."""


def states_at(states: Tensor, places: Tensor, real: Tensor) -> Tensor:
    """Return the state that predicts each target, ``[targets, width]``, row by row.

    Args:
        states: ``[rows, positions, width]``.
        places: int64 ``[rows, targets]``, the position whose state it is; one state may predict
            several targets.
        real: bool ``[rows, targets]``, which targets there are.
    """
    row, column = real.nonzero(as_tuple=True)
    # An embedding's gradient has one order of summation, that of an index does not.
    return functional.embedding(row * states.shape[1] + places[row, column], states.flatten(0, 1))


def catalogue_loss(states: Tensor, targets: Tensor, table: Tensor) -> Tensor:
    """Return the summed cross-entropy of the items ``targets`` over the whole catalogue.

    Args:
        states: ``[n, width]``; a score is a dot product with an item's vector.
        targets: int64 ``[n]``.
        table: ``[items, width]``.
    """
    size = max(1, LOGITS_AT_ONCE // len(table))
    parts = [
        functional.cross_entropy(some @ table.T, item, reduction="sum")
        for some, item in zip(states.split(size), targets.split(size), strict=True)
    ]
    return torch.stack(parts).sum()

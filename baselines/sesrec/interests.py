"""Interests of one history that the other one shares, and those that it does not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.two_histories.attention import masked_softmax

__all__ = ["CoAttention", "Interests", "separation"]

ROUNDING = 1e-5
"""By which equal weights may miss their mean."""


@dataclass(frozen=True)
class Interests:
    """A history of one kind, split by the other one.

    Attributes:
        states: ``[requests, places, width]``.
        weights: how much the other history attends to each event, ``[requests, places]``; of a
            history's events they add up to 1.
        real: bool ``[requests, places]``, which places hold an event.
        similar: bool, those with at least the mean weight; never none of a history.
        dissimilar: bool, the others; all events where there is no other.
    """

    states: Tensor
    weights: Tensor
    real: Tensor
    similar: Tensor
    dissimilar: Tensor

    @classmethod
    def of(cls, states: Tensor, weights: Tensor, real: Tensor) -> Interests:
        """Split a history by the weights of its events."""
        count = real.sum(dim=1, keepdim=True)
        similar = real & (weights * count >= 1 - ROUNDING)
        others = real & ~similar
        dissimilar = torch.where(others.any(dim=1, keepdim=True), others, real)
        return cls(states, weights, real, similar, dissimilar)

    def anchor(self) -> Tensor:
        """Return the sum of the states by their weights, ``[requests, width]``."""
        return (self.weights.unsqueeze(1) @ self.states).squeeze(1)

    def mean(self, mask: Tensor) -> Tensor:
        """Return the mean state where ``mask`` holds, ``[requests, width]``; zeros for none."""
        share = mask / mask.sum(dim=1, keepdim=True).clamp_min(1)
        return (share.unsqueeze(1) @ self.states).squeeze(1)


class CoAttention(nn.Module):
    """Weighs the events of two histories by each other.

    With ``A = tanh(R W S')``, search events weigh ``softmax(w R' A)`` and recommendation events
    ``softmax(v S' A')``. Against an empty history all events weigh the same.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.affinity = nn.Linear(width, width, bias=False)
        self.by_rec = nn.Linear(width, 1, bias=False)
        self.by_search = nn.Linear(width, 1, bias=False)

    def forward(
        self, rec: Tensor, rec_real: Tensor, search: Tensor, search_real: Tensor
    ) -> tuple[Interests, Interests]:
        """Return both histories split.

        Args:
            rec: states of recommendation events, ``[requests, n, width]``.
            rec_real: bool ``[requests, n]``, where there is one.
            search: states of search events, ``[requests, m, width]``.
            search_real: bool ``[requests, m]``.
        """
        affinity = torch.tanh(self.affinity(rec) @ search.transpose(1, 2))
        affinity = affinity * (rec_real.unsqueeze(2) & search_real.unsqueeze(1))
        of_search = (self.by_rec(rec).transpose(1, 2) @ affinity).squeeze(1)
        of_rec = (affinity @ self.by_search(search)).squeeze(2)
        return (
            Interests.of(rec, masked_softmax(of_rec, rec_real, 1), rec_real),
            Interests.of(search, masked_softmax(of_search, search_real, 1), search_real),
        )


def separation(interests: Interests, margin: float) -> Tensor:
    """Return the triplet loss of each history, ``[requests]``.

    The anchor is the history by its weights, the positive the mean of its similar events, the
    negative that of its dissimilar ones.
    """
    return functional.triplet_margin_loss(
        interests.anchor(),
        interests.mean(interests.similar),
        interests.mean(interests.dissimilar),
        margin=margin,
        reduction="none",
    )

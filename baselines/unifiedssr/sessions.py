"""Session discovery: windows of a sequence, and how their vectors are to relate.

A sequence of length n gets K windows. Window k lies around (k + 1/2) / K, moved and widened by
two numbers that are predicted from the mean state of the k-th of K equal parts.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Sessions", "inter_correlation", "intra_correlation", "prefix_pooling"]

START_WIDTH = math.log(math.sqrt(5 / 3))
"""tanh of it is 1/4: before training, a window is half as wide as its part of the sequence."""
SOFTNESS = 0.5
"""Positions over which a soft window fades."""


class Sessions(nn.Module):
    """Finds the windows, their vectors, and which positions lie in one.

    ``windows="own"`` gives every position the windows of the sequence that ends there, which is
    what a request at that position would get: nothing later counts. ``"batch"`` lays one set of
    windows over the padded length of the batch, as the published code does.
    """

    def __init__(
        self,
        width: int,
        count: int,
        windows: Literal["own", "batch"],
        edges: Literal["soft", "hard"],
    ) -> None:
        super().__init__()
        self.count, self.windows, self.edges = count, windows, edges
        self.predictor = nn.Linear(width, 2, bias=False)
        self.start_width = nn.Parameter(torch.tensor(START_WIDTH))

    def forward(self, states: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Find the windows of ``states`` (``[rows, positions, width]``, ``length`` of them real).

        Returns:
            the states, those inside a window counted twice, ``[rows, positions, width]``; the
            windows' mean states, ``[rows, K, width]``; which windows hold a position, bool
            ``[rows, K]``.
        """
        rows, positions, _ = states.shape
        places = torch.arange(positions, device=states.device)
        pooling = prefix_pooling(positions, self.count).to(states.device)
        if self.windows == "own":
            pooled = torch.einsum("tkj,bjd->btkd", pooling, states)
            of_prefix = self.bounds(pooled, places + 1)
            covered = _union(self.inside(of_prefix, places[:, None]))
            bounds = of_prefix[torch.arange(rows, device=states.device), length - 1]
            members = self.inside(bounds[:, :, None], places)
        else:
            bounds = self.bounds(pooling[-1] @ states, places.new_tensor(positions))
            members = self.inside(bounds[:, :, None], places)
            covered = _union(members.transpose(1, 2))
        members = members * (places < length[:, None])[:, None]
        mass = members.sum(dim=2)
        vectors = members @ states / mass.clamp_min(1e-6)[:, :, None]
        return states * (1 + covered[:, :, None]), vectors, mass > 0

    def bounds(self, pooled: Tensor, length: Tensor) -> Tensor:
        """Return first and last position of each window, ``[..., K, 2]``, not rounded.

        ``pooled`` is ``[..., K, width]``, ``length`` ``[...]`` in positions.
        """
        shift, spread = self.predictor(pooled.relu()).unbind(-1)
        anchors = torch.arange(self.count, device=pooled.device) + 0.5
        centre = (anchors + shift.tanh()) / self.count
        half = (spread + self.start_width).tanh().relu() / self.count
        shares = torch.stack([centre - half, centre + half], dim=-1).clamp(0, 1)
        return shares * length[..., None, None]

    def inside(self, bounds: Tensor, places: Tensor) -> Tensor:
        """Return how far each place lies inside a window, 0 to 1.

        ``bounds`` is ``[..., 2]``; ``places`` broadcasts against the rest of its shape.
        """
        first, last = bounds.unbind(-1)
        if self.edges == "hard":
            return ((first <= places) & (places <= last)).to(bounds.dtype)
        rising, falling = (places - first) / SOFTNESS, (last - places) / SOFTNESS
        return rising.sigmoid() * falling.sigmoid()


def prefix_pooling(positions: int, count: int) -> Tensor:
    """Return the weights of adaptive average pooling of every prefix into ``count`` parts.

    Part k of a prefix of n positions is the mean of positions floor(kn / K) to
    ceil((k + 1)n / K) - 1, so neighbouring parts may share one. The result is ``[prefixes, parts,
    positions]``; the last prefix is the whole.
    """
    length = torch.arange(1, positions + 1)[:, None, None]
    part = torch.arange(count)[None, :, None]
    place = torch.arange(positions)
    first = length * part // count
    stop = -(-(length * (part + 1)) // count)
    return ((first <= place) & (place < stop)) / (stop - first)


def intra_correlation(vectors: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean absolute cosine of adjacent windows of ``vectors`` (``[rows, K, width]``).

    Pairs of which one is not ``real`` (bool ``[rows, K]``) do not count; 0 where none counts. The
    second result says how many do.
    """
    cosine = functional.cosine_similarity(vectors[:, :-1], vectors[:, 1:], dim=-1).abs()
    return _mean(cosine, real[:, :-1] & real[:, 1:])


def inter_correlation(products: Tensor, queries: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Return minus the mean cosine of the k-th window of products with the k-th of queries.

    Vectors are ``[rows, K, width]``; windows that are not ``real`` (bool ``[rows, K]``) do not
    count. The second result says how many do.
    """
    mean, counted = _mean(functional.cosine_similarity(products, queries, dim=-1), real)
    return -mean, counted


def _union(inside: Tensor) -> Tensor:
    """Return how far a place lies in any window of the last axis."""
    return 1 - (1 - inside).prod(dim=-1)


def _mean(values: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    count = counted.sum()
    return (values * counted).sum() / count.clamp_min(1), count

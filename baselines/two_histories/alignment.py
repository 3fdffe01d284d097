"""Vectors of queries brought near those of the items that they led to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from baselines.two_histories.histories import Behaviour
from benchmark.data.events import NO_QUERY

__all__ = ["Alignment", "ClickPairs", "clicked"]


class Alignment(nn.Module):
    """Brings the vectors of queries near those of the items that they led to.

    A pair scores ``tanh(q W i) / t`` with a learned temperature ``t``, and is held once against
    other items and once against other queries; the loss is the mean of both cross-entropies.
    """

    def __init__(self, width: int, temperature: float) -> None:
        super().__init__()
        self.turn = nn.Linear(width, width, bias=False)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))

    def forward(
        self, queries: Tensor, items: Tensor, other_queries: Tensor, other_items: Tensor
    ) -> Tensor:
        """Return the mean loss of the pairs.

        Args:
            queries: ``[pairs, width]``.
            items: ``[pairs, width]``.
            other_queries: ``[others, width]``, random queries.
            other_items: ``[others, width]``, random items.
        """
        turned = self.turn(queries)
        own = (turned * items).sum(dim=1, keepdim=True)
        against_items = torch.cat([own, turned @ other_items.T], dim=1)
        against_queries = torch.cat([own, items @ self.turn(other_queries).T], dim=1)
        return (self._loss(against_items) + self._loss(against_queries)) / 2

    def _loss(self, products: Tensor) -> Tensor:
        logits = torch.tanh(products) / self.log_temperature.exp()
        return -functional.log_softmax(logits, dim=1)[:, 0].mean()


@dataclass(frozen=True)
class ClickPairs:
    """Queries of histories with the items that they led to, and others to hold against them."""

    query: NDArray[np.int64]
    item: NDArray[np.int64]
    other_query: NDArray[np.int64]
    other_item: NDArray[np.int64]


def clicked(
    search: Behaviour,
    known_queries: NDArray[np.int64],
    items: int,
    *,
    most: int,
    others: int,
    always: bool,
    rng: np.random.Generator,
) -> ClickPairs:
    """Draw pairs of query and clicked item from search histories, and others against them.

    Args:
        search: the histories.
        known_queries: which the other queries are drawn from.
        items: in the catalogue.
        most: pairs at most, 0 for any number.
        others: random items, and random queries.
        always: draw the others even where there is no pair to hold against them.
        rng: draws.
    """
    places = np.flatnonzero(search.real.ravel() & (search.query.ravel() != NO_QUERY))
    if most and len(places) > most:
        places = rng.choice(places, most, replace=False)
    count = others if len(places) or (always and len(known_queries)) else 0
    return ClickPairs(
        search.query.ravel()[places],
        search.item.ravel()[places],
        rng.choice(known_queries, count) if count else places[:0],
        rng.integers(0, items, count),
    )

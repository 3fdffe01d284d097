"""The two contrastive losses of UniSAR."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Alignment", "ViewContrast"]


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


class ViewContrast(nn.Module):
    """Brings two views of one history near each other and away from those of other requests."""

    def __init__(self, width: int, temperature: float) -> None:
        super().__init__()
        self.turn = nn.Linear(width, width, bias=False)
        self.temperature = temperature

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the mean loss of both directions, 0 where there is no history.

        Vectors ``z`` of both views, ``[requests, width]`` each, score ``tanh(z W z') / t``. The
        right answer of each is its partner in the other view, the wrong ones are all the rest.
        """
        if len(first) == 0:
            return first.sum()
        both = torch.cat([first, second])
        logits = torch.tanh(self.turn(both) @ both.T) / self.temperature
        itself = torch.eye(len(both), dtype=torch.bool, device=both.device)
        logits = logits.masked_fill(itself, -torch.inf)
        partner = torch.arange(len(both), device=both.device).roll(len(first))
        return functional.cross_entropy(logits, partner)

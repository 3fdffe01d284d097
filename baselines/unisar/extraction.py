"""Progressive layered extraction (Tang et al. 2020), one level, factored for ranking."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.data.requests import Task

__all__ = ["Extraction"]

EXPERT_WIDTH = 64
TOWER = (128, 64)
HEAD = (200, 80)


class _Branch(nn.Module):
    """What one task has for itself: experts, a gate over these and the shared ones, a tower."""

    def __init__(self, inputs: int, experts: int, dropout: float) -> None:
        super().__init__()
        self.experts = nn.Linear(inputs, experts * EXPERT_WIDTH)
        self.gate = nn.Linear(inputs, 2 * experts)
        layers: list[nn.Module] = []
        last = EXPERT_WIDTH
        for width in TOWER:
            layers += [nn.Linear(last, width), nn.ReLU(), nn.Dropout(dropout)]
            last = width
        for width in HEAD:
            layers += [nn.Linear(last, width), nn.ReLU()]
            last = width
        self.tower = nn.Sequential(*layers, nn.Linear(last, 1))


class Extraction(nn.Module):
    """Scores a candidate from ``[pair; item; request]``.

    The first layer is linear, so its share of the item and its share of the request are each
    computed once and only that of the pair (what the history says about the candidate) for every
    combination. Dropout falls on the mixture of the experts rather than on each of them, for an
    eighth of the random bits.
    """

    def __init__(self, pair: int, item: int, request: int, experts: int, dropout: float) -> None:
        super().__init__()
        self.sizes = (pair, item, request)
        inputs = sum(self.sizes)
        self.experts = nn.Linear(inputs, experts * EXPERT_WIDTH)
        self.branches = nn.ModuleDict({str(t): _Branch(inputs, experts, dropout) for t in Task})
        self.dropout = nn.Dropout(dropout)

    def shares(self, task: Task, items: Tensor, requests: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the first layer's weights for pairs, and the shares of items and of requests.

        ``items`` is ``[..., item]``, ``requests`` ``[..., request]``.
        """
        branch = cast(_Branch, self.branches[str(task)])
        parts = (self.experts, branch.experts, branch.gate)
        weight = torch.cat([part.weight for part in parts])
        bias = torch.cat([part.bias for part in parts])
        of_pair, of_item, of_request = weight.split(self.sizes, dim=1)
        return (
            of_pair,
            functional.linear(items, of_item),
            functional.linear(requests, of_request, bias),
        )

    def forward(self, task: Task, first: Tensor) -> Tensor:
        """Return scores ``[...]`` for ``first`` ``[..., outputs of the first layer]``.

        ``first`` is the sum of the three shares.
        """
        branch = cast(_Branch, self.branches[str(task)])
        gates = branch.gate.out_features
        expert, gate = first.split([first.shape[-1] - gates, gates], dim=-1)
        opinions = functional.relu(expert).unflatten(-1, (gates, EXPERT_WIDTH))
        mixed = (torch.softmax(gate, dim=-1).unsqueeze(-2) @ opinions).squeeze(-2)
        return branch.tower(self.dropout(mixed)).squeeze(-1)

"""A bilinear score beside the experts: what the paper does not have."""

from __future__ import annotations

from torch import Tensor, nn

from benchmark.data.requests import Task

__all__ = ["Match"]


class Match(nn.Module):
    """Scores a candidate ``e`` by ``e M [pair; request]``, with an ``M`` for each task.

    Experts see the candidate beside histories, user and query, not multiplied with them, and have
    to learn from few events what it means that two vectors agree.
    """

    def __init__(self, pair: int, item: int, request: int) -> None:
        super().__init__()
        self.pair = nn.ModuleDict({str(t): nn.Linear(pair, item, bias=False) for t in Task})
        self.request = nn.ModuleDict({str(t): nn.Linear(request, item, bias=False) for t in Task})

    def forward(self, task: Task, pair: Tensor, about: Tensor, items: Tensor) -> Tensor:
        """Return ``[requests, asked, candidates]``.

        Args:
            task: the task that all requests ask for.
            pair: what histories say about candidates, ``[requests, candidates, pair]``.
            about: ``[requests, asked, request]``.
            items: candidates, ``[requests, candidates, item]``, or ``[candidates, item]``.
        """
        of_pair = (self.pair[str(task)](pair) * items).sum(dim=-1)
        of_request = self.request[str(task)](about) @ items.transpose(-1, -2)
        return of_pair.unsqueeze(1) + of_request

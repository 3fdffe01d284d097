"""The contrast of the two views that UniSAR has of a history."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ViewContrast"]


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

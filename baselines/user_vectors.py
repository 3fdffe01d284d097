"""Vectors of users by their numbers, with one for those of whom nothing is known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["UserVectors"]


class UserVectors(nn.Module):
    """A learned vector for each user.

    Args:
        known: bool ``[users]``, who has an event to learn from.
        width: of a vector.
        std: standard deviation of the vectors at the start.
    """

    known: Tensor

    def __init__(self, known: Tensor, width: int, std: float) -> None:
        super().__init__()
        self.register_buffer("known", known)
        self.table = nn.Embedding(len(known), width)
        nn.init.normal_(self.table.weight, std=std)

    def forward(self, users: Tensor) -> Tensor:
        """Return the vectors of known users (int64 ``[...]``), ``[..., width]``."""
        vectors: Tensor = self.table(users)
        return vectors

    def of_any(self, users: Tensor) -> Tensor:
        """Return the vectors of users; who is not known has the mean of those who are."""
        weight = self.known.to(self.table.weight.dtype)
        mean = weight @ self.table.weight / weight.sum().clamp_min(1)
        return torch.where(self.known[users].unsqueeze(-1), self.table(users), mean)

"""Dropout whose random bits are cheap on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ByteDropout", "use_byte_dropout"]


class ByteDropout(nn.Module):
    """Drops entries with a probability that is a multiple of 1/256, eight from one random number.

    ``nn.Dropout`` draws one random number for each entry, one after the other, which on a CPU
    takes longer than the matrix products around it.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.threshold = round(256 * probability)

    def forward(self, values: Tensor) -> Tensor:
        """Return ``values`` with entries dropped and the rest scaled up, while training."""
        if not self.training or self.threshold == 0:
            return values
        if self.threshold == 256:
            return torch.zeros_like(values)
        words = torch.empty(-(-values.numel() // 8), dtype=torch.int64, device=values.device)
        octets = words.random_(-(2**63), None).view(torch.uint8)[: values.numel()]
        kept = (octets >= self.threshold).view(values.shape)
        return values * (kept.to(values.dtype) * (256 / (256 - self.threshold)))


def use_byte_dropout(module: nn.Module) -> None:
    """Replace every ``nn.Dropout`` inside ``module``."""
    for name, child in module.named_children():
        if isinstance(child, nn.Dropout):
            setattr(module, name, ByteDropout(child.p))
        else:
            use_byte_dropout(child)

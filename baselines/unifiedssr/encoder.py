"""The Siamese encoder: one set of layers, whichever stream is read and whichever is looked at."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.learning.dropout import ByteDropout

__all__ = ["SiameseEncoder", "SiameseLayer", "sinusoids"]


class Attention(nn.Module):
    """Multi-head attention."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = ByteDropout(dropout)

    def forward(self, asking: Tensor, asked: Tensor, visible: Tensor) -> Tensor:
        """Return ``[rows, positions, width]``.

        Args:
            asking: ``[rows, positions, width]``.
            asked: what is looked at, of the same shape.
            visible: bool, broadcast to ``[rows, heads, positions, positions]``; every position
                sees at least one.
        """
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(asking), self.key(asked), self.value(asked))
        )
        logits = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = functional.softmax(logits.masked_fill(~visible, -math.inf), dim=-1)
        return self.out((self.dropout(weights) @ value).transpose(1, 2).flatten(-2))


class SiameseLayer(nn.Module):
    """Self-attention, attention to the other stream, feed-forward; each normalised first."""

    def __init__(
        self, width: int, heads: int, inner: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.own = Attention(width, heads, attention_dropout)
        self.cross = Attention(width, heads, attention_dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, inner), nn.ReLU(), ByteDropout(dropout), nn.Linear(inner, width)
        )
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(3)])
        self.dropout = ByteDropout(dropout)

    def forward(self, stream: Tensor, other: Tensor, visible: Tensor) -> Tensor:
        """Return the new ``stream``; all are ``[rows, positions, width]``."""
        normed = self.norms[0](stream)
        stream = stream + self.dropout(self.own(normed, normed, visible))
        stream = stream + self.dropout(self.cross(self.norms[1](stream), other, visible))
        return stream + self.dropout(self.feed_forward(self.norms[2](stream)))


class SiameseEncoder(nn.Module):
    """Encodes one stream in sight of the other (section "Siamese encoder" of the paper).

    With ``layering="published"`` every layer reads the encoder's input, and what the last one
    makes of it is the result, as in the published code; so only that layer is run.
    """

    def __init__(
        self, layers: list[SiameseLayer], width: int, layering: Literal["stacked", "published"]
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.layering = layering

    def forward(self, stream: Tensor, other: Tensor, visible: Tensor) -> Tensor:
        """Return states of ``stream``, ``[rows, positions, width]``; ``other`` stays raw."""
        layers = list(self.layers)
        for layer in layers if self.layering == "stacked" else layers[-1:]:
            stream = layer(stream, other, visible)
        return self.norm(stream)


def sinusoids(positions: int, width: int, device: torch.device) -> Tensor:
    """Return the position vectors of Vaswani et al. 2017, ``[positions, width]``."""
    place = torch.arange(positions, device=device, dtype=torch.float32)[:, None]
    pairs = torch.arange(0, width, 2, device=device, dtype=torch.float32)
    angle = place * torch.exp(-math.log(10_000.0) / width * pairs)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)[:, :width]

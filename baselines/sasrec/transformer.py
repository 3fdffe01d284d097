"""The causal transformer of SASRec (Kang and McAuley 2018), by the choices of RecBole's module.

That is: normalised behind each part and its shortcut (the paper normalises before), a GELU in the
feed-forward layers, learned positions, weights drawn with a deviation of 0.02. Names of weights are
RecBole's, so that those of either serve the other; a test holds that the states are the same.
"""

from __future__ import annotations

from copy import deepcopy
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["TransformerEncoder", "causal_mask", "draw_weights"]

HIDDEN = -10_000.0
"""Added to the logit of what a position must not see."""
NORM_EPSILON = 1e-12
DEVIATION = 0.02


class SelfAttention(nn.Module):
    """Attention of each position to those that the mask leaves it, with shortcut and norm."""

    def __init__(self, width: int, heads: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.attn_dropout = nn.Dropout(attention_dropout)
        self.dense = nn.Linear(width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.out_dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return states ``[rows, positions, width]`` from such, and a mask to be added."""
        query, key, value = (
            part(states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        logits = query @ key.transpose(-1, -2) / sqrt(query.shape[-1])
        weights = self.attn_dropout((logits + mask).softmax(dim=-1))
        seen = (weights @ value).transpose(1, 2).flatten(-2)
        normed: Tensor = self.LayerNorm(self.out_dropout(self.dense(seen)) + states)
        return normed


class FeedForward(nn.Module):
    """Two layers at each position by itself, with shortcut and norm."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.dense_1 = nn.Linear(width, inner)
        self.dense_2 = nn.Linear(inner, width)
        self.LayerNorm = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Return states ``[rows, positions, width]`` from such."""
        inner = self.dense_2(functional.gelu(self.dense_1(states)))
        normed: Tensor = self.LayerNorm(self.dropout(inner) + states)
        return normed


class TransformerLayer(nn.Module):
    """Attention, then the layers at each position."""

    def __init__(
        self, width: int, heads: int, inner: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.multi_head_attention = SelfAttention(width, heads, dropout, attention_dropout)
        self.feed_forward = FeedForward(width, inner, dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return states ``[rows, positions, width]`` from such, and a mask to be added."""
        attended: Tensor = self.feed_forward(self.multi_head_attention(states, mask))
        return attended


class TransformerEncoder(nn.Module):
    """Layers, one behind the other."""

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        inner: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        layer = TransformerLayer(width, heads, inner, dropout, attention_dropout)
        self.layer = nn.ModuleList(deepcopy(layer) for _ in range(layers))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return states ``[rows, positions, width]`` from such, and a mask to be added."""
        for layer in self.layer:
            states = layer(states, mask)
        return states


def causal_mask(items: Tensor) -> Tensor:
    """Return what is added to the logits of attention, ``[rows, 1, positions, positions]``.

    Args:
        items: int64 ``[rows, positions]``, 0 where there is none.
    """
    seen = torch.ones(items.shape[1], items.shape[1], dtype=torch.bool, device=items.device).tril()
    visible = seen & (items != 0)[:, None, None, :]
    return torch.zeros(visible.shape, device=items.device).masked_fill(~visible, HIDDEN)


def draw_weights(module: nn.Module) -> None:
    """Draw the weights of one module, for ``apply``."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=DEVIATION)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)

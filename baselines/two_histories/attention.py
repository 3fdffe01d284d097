"""Attention that is defined for an empty history, and the post-norm layers built on it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Attention", "DecoderLayer", "EncoderLayer", "TargetAttention", "masked_softmax"]


def masked_softmax(logits: Tensor, allowed: Tensor, dim: int) -> Tensor:
    """Return the softmax over the places where ``allowed`` holds; zeros where there is none.

    ``allowed`` is broadcast against ``logits``.
    """
    lowest = torch.finfo(logits.dtype).min
    return torch.softmax(logits.masked_fill(~allowed, lowest), dim=dim) * allowed


class Attention(nn.Module):
    """Multi-head attention. A row that may attend to nothing receives zeros."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(width, width)
        self.offer = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: Tensor, other: Tensor, allowed: Tensor) -> Tensor:
        """Return what each row of ``own`` reads from ``other``.

        Args:
            own: ``[requests, rows, width]``.
            other: ``[requests, places, width]``.
            allowed: bool ``[requests, places]``, the places that hold an event.
        """
        asked = self._split(self.ask(own))
        keys, values = (self._split(part) for part in self.offer(other).chunk(2, dim=-1))
        logits = asked @ keys.transpose(-1, -2) * keys.shape[-1] ** -0.5
        weights = self.dropout(masked_softmax(logits, allowed[:, None, None, :], -1))
        read = (weights @ values).transpose(1, 2).flatten(2)
        return self.out(read) * allowed.any(dim=1)[:, None, None]

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


Activation = Callable[[Tensor], Tensor]


class _FeedForward(nn.Module):
    def __init__(self, width: int, inner: int, dropout: float, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.wide, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        return self.narrow(self.dropout(self.activation(self.wide(states))))


class EncoderLayer(nn.Module):
    """A post-norm encoder layer whose keys and values may be another sequence."""

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        dropout: float,
        activation: Activation = functional.relu,
    ) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.feed = _FeedForward(width, inner, dropout, activation)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: Tensor, other: Tensor, allowed: Tensor) -> Tensor:
        """Return new states of ``own``, which attend to ``other`` where ``allowed``.

        Shapes are those of :class:`Attention`. Self-attention is the case ``other is own``.
        """
        own = self.norms[0](own + self.dropout(self.attention(own, other, allowed)))
        return self.norms[1](own + self.dropout(self.feed(own)))


class DecoderLayer(nn.Module):
    """A post-norm decoder layer without a causal mask."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.within = Attention(width, heads, dropout)
        self.across = Attention(width, heads, dropout)
        self.feed = _FeedForward(width, inner, dropout, functional.relu)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: Tensor, memory: Tensor, allowed: Tensor) -> Tensor:
        """Return ``own`` fused with ``memory``, all ``[requests, places, width]``.

        Both stand at the same places, those where ``allowed`` (``[requests, places]``) holds.
        """
        own = self.norms[0](own + self.dropout(self.within(own, own, allowed)))
        own = self.norms[1](own + self.dropout(self.across(own, memory, allowed)))
        return self.norms[2](own + self.dropout(self.feed(own)))


class TargetAttention(nn.Module):
    """Reads a history with the eyes of a candidate: ``sum_i softmax_i(h_i W e) h_i``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.turn = nn.Linear(width, width, bias=False)

    def keys(self, states: Tensor) -> Tensor:
        """Return ``h W``, what does not depend on the candidate, ``[requests, places, width]``."""
        return self.turn(states)

    def forward(self, keys: Tensor, states: Tensor, allowed: Tensor, items: Tensor) -> Tensor:
        """Return ``[requests, candidates, width]``; zeros where the history is empty.

        Args:
            keys: what :meth:`keys` returned for ``states``.
            states: ``[requests, places, width]``.
            allowed: bool ``[requests, places]``.
            items: candidates, ``[requests, candidates, width]``, or ``[candidates, width]`` where
                all requests have the same.
        """
        logits = items @ keys.transpose(-1, -2)
        return masked_softmax(logits, allowed[:, None, :], -1) @ states

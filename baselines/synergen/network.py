"""The transformer: events form a memory, tokens read it without being read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.synergen.rotary import Rotation, rotate
from benchmark.learning.dropout import ByteDropout

__all__ = ["Layer", "Memory", "Read", "Transformer"]


@dataclass(frozen=True)
class Memory:
    """Keys and values of the context at every layer, each ``[rows, heads, window, size]``."""

    layers: list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Read:
    """Tokens that ask, and what they read.

    Attributes:
        tokens: before the transformer, ``[rows, tokens, width]``.
        rotation: their rotation.
        seen: bool ``[rows, tokens, window]``, which events each of them reads.
        memory: of the rows' events.
    """

    tokens: Tensor
    rotation: Rotation
    seen: Tensor
    memory: Memory

    def at(self, columns: Tensor) -> Read:
        """Return the tokens at ``columns`` (int64 ``[rows, n]``)."""

        def picked(values: Tensor) -> Tensor:
            wide = columns.unsqueeze(-1).expand(-1, -1, values.shape[-1])
            return values.gather(1, wide)

        return replace(
            self,
            tokens=picked(self.tokens),
            rotation=self.rotation.map(lambda v: picked(v.squeeze(1)).unsqueeze(1)),
            seen=picked(self.seen),
        )

    def beside(self, candidates: Tensor) -> Read:
        """Return a token for each candidate, its vector added to that of the token that asks.

        ``candidates`` is ``[rows, tokens, candidates, width]``; the result has
        ``tokens * candidates`` tokens in a row.
        """
        count = candidates.shape[2]
        return replace(
            self,
            tokens=(self.tokens.unsqueeze(2) + candidates).flatten(1, 2),
            rotation=self.rotation.map(lambda v: v.repeat_interleave(count, dim=2)),
            seen=self.seen.repeat_interleave(count, dim=1),
        )


class Layer(nn.Module):
    """Attention to a memory and to the token itself, then a gated feed-forward layer."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.RMSNorm(width)
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.inner_norm = nn.RMSNorm(width)
        self.up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        self.dropout = ByteDropout(dropout)

    def forward(
        self,
        states: Tensor,
        rotation: Rotation,
        seen: Tensor,
        memory: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return new states and the memory that was read.

        Args:
            states: ``[rows, tokens, width]``.
            rotation: of the tokens.
            seen: bool ``[rows, tokens, window]``, what each token reads of the memory.
            memory: keys and values; without it the tokens themselves are the context.
        """
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.project(self.attention_norm(states)).chunk(3, dim=-1)
        )
        query, key = rotate(query, rotation), rotate(key, rotation)
        memory = (key, value) if memory is None else memory
        scale = query.shape[-1] ** -0.5
        others = (scale * query) @ memory[0].transpose(-1, -2)
        others = others.masked_fill(~seen.unsqueeze(1), -torch.inf)
        own = (scale * query * key).sum(dim=-1, keepdim=True)
        weights = torch.cat([others, own], dim=-1).softmax(dim=-1)
        read = weights[..., :-1] @ memory[1] + weights[..., -1:] * value
        states = states + self.dropout(self.out(read.transpose(1, 2).flatten(-2)))
        gate, inner = self.up(self.inner_norm(states)).chunk(2, dim=-1)
        return states + self.dropout(self.down(functional.silu(gate) * inner)), memory


class Transformer(nn.Module):
    """Layers that events and tokens go through alike; only what they read differs.

    A memory is made once; retrieval and ranking tokens then read it in any number of passes, so
    that none of them can change another or the context.
    """

    def __init__(self, width: int, layers: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, heads, inner, dropout) for _ in range(layers))
        self.dropout = ByteDropout(dropout)
        self.norm = nn.RMSNorm(width)

    def read(self, events: Tensor, rotation: Rotation, seen: Tensor) -> Memory:
        """Return the memory of the context, ``events`` being ``[rows, window, width]``."""
        states, memory = self.dropout(events), []
        for layer in self.layers:
            states, own = layer(states, rotation, seen)
            memory.append(own)
        return Memory(memory)

    def answer(self, read: Read) -> Tensor:
        """Return the final states of the tokens, ``[rows, tokens, width]``."""
        states = self.dropout(read.tokens)
        for layer, own in zip(self.layers, read.memory.layers, strict=True):
            states, _ = layer(states, read.rotation, read.seen, own)
        return self.norm(states)

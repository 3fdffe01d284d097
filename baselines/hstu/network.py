"""HSTU's network (Zhai et al. 2024, section 3): attention by SiLU, gated, with learned biases."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.sequential.network import SequenceNetwork, Sequences
from benchmark.learning.dropout import ByteDropout

__all__ = ["BUCKETS", "HSTULayer", "HSTUNetwork", "time_buckets"]

BUCKETS = 129
"""Of spans of time; the last one holds what is longer."""
SPREAD = 0.02
"""Standard deviation of fresh weights."""


def time_buckets(now: Tensor, then: Tensor) -> Tensor:
    """Return the bucket of the span between two times, by its logarithm to the base of 1.35.

    Args:
        now: int64, broadcast against ``then``.
        then: int64.
    """
    spans = (now - then).abs().clamp(min=1).double()
    return (spans.log() / 0.301).long().clamp(max=BUCKETS - 1)


class HSTULayer(nn.Module):
    """Adds what each position reads, times a gate of its own, without a feed-forward layer.

    Args:
        width: of the states.
        heads: of attention.
        window: what the sums over positions are divided by.
        dropout: before the last product.
    """

    def __init__(self, width: int, heads: int, window: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.project, self.out = nn.Linear(width, 4 * width, bias=False), nn.Linear(width, width)
        self.dropout = ByteDropout(dropout)
        nn.init.normal_(self.project.weight, std=SPREAD)
        nn.init.xavier_uniform_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """Return ``[rows, positions, width]`` of states of that shape.

        Args:
            states: of every position.
            bias: ``[rows or 1, positions, positions]``, how much a position reads of another one.
        """
        rows, length, width = states.shape
        projected = functional.silu(self.project(_normalised(states)))
        gates, *parts = projected.chunk(4, dim=-1)
        values, queries, keys = (
            part.view(rows, length, self.heads, width // self.heads).transpose(1, 2)
            for part in parts
        )
        weights = functional.silu(queries @ keys.transpose(-1, -2) + bias[:, None]).tril()
        read = (weights / self.window @ values).transpose(1, 2).reshape(states.shape)
        added: Tensor = self.out(self.dropout(_normalised(read) * gates))
        return states + added


def _normalised(states: Tensor) -> Tensor:
    return functional.layer_norm(states, states.shape[-1:], eps=1e-6)


class HSTUNetwork(SequenceNetwork):
    """HSTU layers over items and positions; a score is a cosine over a temperature.

    Args:
        items: in the catalogue.
        window: most positions.
        width: of embeddings and layers.
        layers: how many.
        heads: of attention.
        dropout: of embeddings and layers.
        temperature: of the cosines.
        clock: whether a position reads how long ago another one was, and by whose time: its own
            event's, or what its state is asked for.
    """

    def __init__(
        self,
        items: int,
        window: int,
        width: int,
        layers: int,
        heads: int,
        dropout: float,
        temperature: float,
        clock: Literal["off", "last", "request"],
    ) -> None:
        super().__init__()
        self.temperature, self.clock = temperature, clock
        self.items = nn.Embedding(items + 1, width, padding_idx=0)
        self.positions = nn.Embedding(window, width)
        self.distances = nn.Embedding(window, layers)
        self.spans = None if clock == "off" else nn.Embedding(BUCKETS, layers)
        self.layers = nn.ModuleList(HSTULayer(width, heads, window, dropout) for _ in range(layers))
        self.dropout = ByteDropout(dropout)
        for table in filter(None, (self.items, self.positions, self.distances, self.spans)):
            nn.init.trunc_normal_(table.weight, std=SPREAD, a=-2 * SPREAD, b=2 * SPREAD)
        with torch.no_grad():
            self.items.weight[0] = 0

    def states_of(self, sequences: Sequences) -> Tensor:
        """Return unit vectors over the temperature, ``[rows, positions, width]``."""
        items = sequences.items
        places = torch.arange(items.shape[1], device=items.device)
        embedded = math.sqrt(self.items.embedding_dim) * self.items(items)
        states = self.dropout(embedded + self.positions(places))
        for layer, bias in zip(self.layers, self._biases(sequences).unbind(dim=-1), strict=True):
            states = layer(states, bias)
        return functional.normalize(states, dim=-1) / self.temperature

    def _biases(self, sequences: Sequences) -> Tensor:
        """Return ``[rows or 1, positions, positions, layers]``: who reads, what, in which layer."""
        places = torch.arange(sequences.items.shape[1], device=sequences.items.device)
        distances = (places[:, None] - places).clamp(min=0)
        biases: Tensor = self.distances(distances)[None]
        if self.spans is None:
            return biases
        now = sequences.times if self.clock == "last" else sequences.asked
        return biases + self.spans(time_buckets(now[:, :, None], sequences.times[:, None, :]))

    def item_table(self) -> Tensor:
        """Return the items' embeddings as unit vectors, ``[items, width]``."""
        return functional.normalize(self.items.weight[1:], dim=-1)

"""eSASRec's network: pre-norm layers with gates, as in LiGR (Borisyuk et al. 2025)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.sequential.network import SequenceNetwork, Sequences
from benchmark.learning.dropout import ByteDropout

__all__ = ["ESASRecNetwork", "LiGRLayer"]


class CausalAttention(nn.Module):
    """Softmax attention of every position to itself and those before it."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dropout = ByteDropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Return what each position reads, ``[rows, positions, width]`` as ``states``."""
        rows, length, width = states.shape
        parts = self.project(states).view(rows, length, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(width // self.heads)
        later = torch.ones(length, length, dtype=torch.bool, device=states.device).triu(1)
        shares = self.dropout(scores.masked_fill(later, -torch.inf).softmax(dim=-1))
        read: Tensor = self.out((shares @ values).transpose(1, 2).reshape(states.shape))
        return read


class SwiGLU(nn.Module):
    """A feed-forward layer whose inner states are gated: ``W2 (silu(W1 x) * W3 x)``, no biases."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(width, 2 * inner, bias=False)
        self.outer = nn.Linear(inner, width, bias=False)
        self.dropout = ByteDropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Return ``[..., width]`` of ``[..., width]``."""
        gates, values = self.inner(states).chunk(2, dim=-1)
        transformed: Tensor = self.outer(self.dropout(functional.silu(gates) * values))
        return transformed


class LiGRLayer(nn.Module):
    """Adds attention, then a feed-forward layer, each as much as a gate lets through.

    The gates read the states as they are, the sub-layers read them normalised.
    """

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = CausalAttention(width, heads, dropout)
        self.transform = SwiGLU(width, inner, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.gates = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.dropout = ByteDropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Return ``[rows, positions, width]`` of ``[rows, positions, width]``."""
        for part, norm, gate in zip(
            (self.attention, self.transform), self.norms, self.gates, strict=True
        ):
            states = states + torch.sigmoid(gate(states)) * self.dropout(part(norm(states)))
        return states


class ESASRecNetwork(SequenceNetwork):
    """LiGR layers over items and positions that are counted from the last event backwards.

    So a state is the same as if the sequence were padded on the left, and the last event always
    has the same position.

    Args:
        items: in the catalogue.
        window: most positions.
        width: of embeddings and layers.
        layers: how many.
        heads: of attention.
        inner: width of the feed-forward layers.
        dropout: of the embeddings, within sub-layers and behind them.
    """

    def __init__(
        self,
        items: int,
        window: int,
        width: int,
        layers: int,
        heads: int,
        inner: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.items = nn.Embedding(items + 1, width, padding_idx=0)
        self.positions = nn.Embedding(window, width)
        self.layers = nn.ModuleList(LiGRLayer(width, heads, inner, dropout) for _ in range(layers))
        self.dropout = ByteDropout(dropout)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.xavier_normal_(weight)
        with torch.no_grad():
            self.items.weight[0] = 0

    def states_of(self, sequences: Sequences) -> Tensor:
        """Return the states of every position, ``[rows, positions, width]``."""
        real = sequences.items > 0
        behind = real.sum(dim=1, keepdim=True) - real.cumsum(dim=1)
        states = self.dropout(self.items(sequences.items) + self.positions(behind))
        for layer in self.layers:
            states = layer(states)
        return states

    def item_table(self) -> Tensor:
        """Return the items' embeddings, ``[items, width]``."""
        return self.items.weight[1:]

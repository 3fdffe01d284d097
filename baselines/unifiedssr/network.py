"""The network: embeddings, the Siamese encoder over both streams, sessions, mixing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.unifiedssr.encoder import SiameseEncoder, SiameseLayer, sinusoids
from baselines.unifiedssr.sequences import Sequences
from baselines.unifiedssr.sessions import Sessions, inter_correlation, intra_correlation
from baselines.unifiedssr.settings import UnifiedSSRSettings
from baselines.words import MeanOfWords
from benchmark.learning.dropout import ByteDropout

__all__ = ["Encoded", "UnifiedSSRNetwork"]

LEAST_SHARE, LARGEST_SHARE = 0.1, 0.9
"""Bounds of the mixing weight w."""


@dataclass(frozen=True)
class Encoded:
    """What the network makes of a batch.

    Attributes:
        branches: (share, states ``[rows, positions, width]``) of each branch; an item's score is
            the sum of share times dot product, and so is the loss of the branches' losses.
        correlations: the correlation losses of the windows; each is a mean, with the number of
            windows that it is over.
    """

    branches: tuple[tuple[Tensor, Tensor], ...]
    correlations: tuple[tuple[Tensor, Tensor], ...]


class UnifiedSSRNetwork(nn.Module):
    """One weight set of UnifiedSSR; it encodes recommendation and search alike.

    ``item_words`` (int64 ``[items, words]``) are read where ``item_vectors="text"``.
    """

    def __init__(
        self, users: int, items: int, words: int, item_words: Tensor, settings: UnifiedSSRSettings
    ) -> None:
        super().__init__()
        self.settings = settings
        self.scale = math.sqrt(settings.width)
        self.users = nn.Embedding(users, settings.width)
        self.products = nn.Embedding(items + 1, settings.width)
        self.query = MeanOfWords(words, settings.width)
        self.item_words: Tensor
        self.register_buffer("item_words", item_words, persistent=False)
        layers = [
            SiameseLayer(
                settings.width,
                settings.heads,
                settings.inner,
                settings.dropout,
                settings.attention_dropout,
            )
            for _ in range(settings.layers)
        ]
        self.encoder = SiameseEncoder(layers, settings.width, settings.layering)
        self.sessions = Sessions(
            settings.width, settings.sessions, settings.windows, settings.edges
        )
        self.product_share = nn.Parameter(torch.tensor(0.5))
        self.dropout = ByteDropout(settings.dropout)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)
        nn.init.zeros_(self.sessions.predictor.weight)

    def table(self) -> Tensor:
        """Return the vectors of the start and of all items, ``[items + 1, width]``."""
        table = self.products.weight
        if self.settings.item_vectors == "text":
            table = table + functional.pad(self.query(self.item_words), (0, 0, 1, 0))
        return table * self.scale

    def forward(self, batch: Sequences, table: Tensor) -> Encoded:
        """Encode a batch; ``table`` comes from :meth:`table`."""
        positions = batch.product.shape[1]
        visible = self._visible(batch.length, positions)
        product = self._stream(functional.embedding(batch.product, table), batch.user)
        if batch.words is None:
            states, windows, real = self.sessions(
                self.encoder(product, product, visible), batch.length
            )
            share = states.new_ones(())
            return Encoded(((share, states),), (intra_correlation(windows, real),))
        query = self._stream(self.query(batch.words) * self.scale, batch.user)
        states, windows, real = self.sessions(self.encoder(product, query, visible), batch.length)
        asked, wishes, wished = self.sessions(self.encoder(query, product, visible), batch.length)
        correlations = (
            intra_correlation(windows, real),
            intra_correlation(wishes, wished),
            inter_correlation(windows, wishes, real & wished),
        )
        share = self.product_share
        return Encoded(((share, states), (1 - share, asked)), correlations)

    def clamp_share(self) -> None:
        """Bring the mixing weight back into its bounds, after a step of the optimiser."""
        with torch.no_grad():
            self.product_share.clamp_(LEAST_SHARE, LARGEST_SHARE)

    def _stream(self, vectors: Tensor, user: Tensor) -> Tensor:
        places = sinusoids(vectors.shape[1], self.settings.width, vectors.device)
        return self.dropout(vectors + self.users(user)[:, None] * self.scale + places)

    def _visible(self, length: Tensor, positions: int) -> Tensor:
        places = torch.arange(positions, device=length.device)
        if self.settings.masking == "causal":
            return places <= places[:, None]
        return (places < length[:, None])[:, None, None]

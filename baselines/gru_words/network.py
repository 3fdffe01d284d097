"""The network: what an event is, one GRU, and what a request looks for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.gru_words.settings import GRUWordsSettings
from baselines.words import MeanOfWords
from benchmark.data.events import EventSource
from benchmark.learning.dropout import ByteDropout

__all__ = ["GRUWordsNetwork"]

SPREAD = 0.1
"""Standard deviation of embeddings at the start."""


class GRUWordsNetwork(nn.Module):
    """Reads events one after the other; items are scored by a dot product.

    An event is the vector of its item, plus the mean vector of its query's words, plus a vector
    for its kind. A recommendation has no query, which is a mean of zero. So is what is looked for:
    the state, plus a linear map of the query where there is one.
    """

    def __init__(self, items: int, pieces: int, settings: GRUWordsSettings) -> None:
        """Build with fresh weights for a catalogue and a vocabulary of so many word pieces."""
        super().__init__()
        width = settings.width
        self.items = nn.Embedding(items, width)
        self.words = MeanOfWords(pieces, width)
        self.kinds = nn.Embedding(len(EventSource), width)
        self.start = nn.Parameter(torch.empty(width))
        self.gru = nn.GRU(width, width, batch_first=True)
        self.query = nn.Linear(width, width, bias=False)
        self.dropout = ByteDropout(settings.dropout)
        for weight in (self.items.weight, self.words.table.weight, self.kinds.weight, self.start):
            nn.init.normal_(weight, std=SPREAD)

    def states(self, items: Tensor, kinds: Tensor, queries: Tensor) -> Tensor:
        """Return the state before the first event and behind each, ``[rows, events + 1, width]``.

        Args:
            items: int64 ``[rows, events]``, padded on the right with any item.
            kinds: int64 ``[rows, events]``.
            queries: vectors of the events' queries, ``[rows, events, width]``.
        """
        start = self.start.expand(len(items), 1, -1)
        if items.shape[1] == 0:
            return self.dropout(start)
        events = self.dropout(self.items(items) + self.kinds(kinds) + queries)
        read, _ = self.gru(events, start.transpose(0, 1).contiguous())
        return self.dropout(torch.cat([start, read], dim=1))

    def wanted(self, states: Tensor, queries: Tensor) -> Tensor:
        """Return what items are multiplied with, ``[n, width]`` like both arguments."""
        return states + self.query(queries)

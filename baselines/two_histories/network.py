"""The part of a network that turns items, users and texts into vectors, and what it is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.two_histories.alignment import Alignment
from baselines.two_histories.settings import TwoHistoriesSettings
from baselines.words import MeanOfWords
from benchmark.data.requests import Task

__all__ = ["PAIRS_AT_ONCE", "CandidateNetwork", "Events", "some_candidates"]

PAIRS_AT_ONCE = 4096
"""Pairs of request and candidate that are computed at a time; they fit a CPU's cache."""


@dataclass(frozen=True)
class Events:
    """Events of one kind before each request.

    Attributes:
        vectors: ``[requests, places, width]``.
        age: int64 ``[requests, places]``, the number of later events of this kind.
        age_among_all: int64 ``[requests, places]``, the number of later events of both kinds.
        real: bool ``[requests, places]``, whether there is an event.
    """

    vectors: Tensor
    age: Tensor
    age_among_all: Tensor
    real: Tensor


class CandidateNetwork(nn.Module, ABC):
    """Embeddings of items, users and texts; a model adds how it reads histories and scores.

    A text is the mean of its words' embeddings, through a dense layer and tanh, for queries and
    items' texts alike; an item is its identifier beside its text, through another one. A model has
    an alignment of both, too.
    """

    item_words: Tensor
    align: Alignment

    def __init__(
        self, users: int, item_words: Tensor, pieces: int, settings: TwoHistoriesSettings
    ) -> None:
        """Build with fresh weights.

        Args:
            users: number of users.
            item_words: int64 ``[items, words]``, word pieces of the items' texts.
            pieces: number of word pieces.
            settings: sizes and temperatures.
        """
        super().__init__()
        width, small = settings.width, settings.id_width
        self.register_buffer("item_words", item_words)
        self.user_id = nn.Embedding(users, small)
        self.item_id = nn.Embedding(len(item_words), small)
        self.words = MeanOfWords(pieces, small)
        self.user_out = nn.Linear(small, width)
        self.text_out = nn.Linear(small, width)
        self.item_out = nn.Linear(small + width, width)

    def texts(self, words: Tensor) -> Tensor:
        """Return the vectors of texts, queries and item texts alike, ``[..., width]``.

        ``words`` is int64 ``[..., words]``.
        """
        return torch.tanh(self.text_out(self.words(words)))

    def items(self, rows: Tensor) -> Tensor:
        """Return the vectors of the items at ``rows`` (int64 ``[n]``), ``[n, width]``."""
        parts = [self.item_id(rows), self.texts(self.item_words[rows])]
        return torch.tanh(self.item_out(torch.cat(parts, dim=-1)))

    def users(self, rows: Tensor) -> Tensor:
        """Return the vectors of the users at ``rows`` (int64 ``[n]``), ``[n, width]``."""
        return torch.tanh(self.user_out(self.user_id(rows)))

    @abstractmethod
    def ask(self, rec: Events, search: Events, users: Tensor, queries: Tensor | None) -> Any:
        """Return what :meth:`score` needs to know of requests; nothing of it is the candidates'.

        Args:
            rec: recommendation events.
            search: search events.
            users: ``[requests, width]``.
            queries: ``[requests, asked, width]``, several of one history; ``None`` where the task
                has none.
        """

    @abstractmethod
    def score(self, task: Task, asked: Any, items: Tensor, chosen: Tensor | None) -> Tensor:
        """Return scores ``[requests, asked, candidates]``.

        Args:
            task: the task that all requests ask for.
            asked: what :meth:`ask` returned for the requests.
            items: vectors of items, ``[items, width]``.
            chosen: int64 ``[requests, candidates]``, rows of ``items``; ``None`` for all of them.
        """


def some_candidates(
    tables: tuple[Tensor, ...], chosen: Tensor | None, times: int
) -> Iterator[tuple[Tensor, ...]]:
    """Yield what tables hold of the candidates, of a few candidates at a time.

    Args:
        tables: each ``[items, ...]``.
        chosen: int64 ``[requests, candidates]``, rows of the tables; ``None`` for all rows.
        times: how often each candidate is computed; with the candidates that makes the pairs.

    Yields:
        each table's ``[n, ...]``, or ``[requests, n, ...]`` where candidates are chosen.
    """
    count = len(tables[0]) if chosen is None else chosen.shape[1]
    step = max(1, PAIRS_AT_ONCE // max(times, 1))
    for start in range(0, count, step):
        some = slice(start, start + step)
        if chosen is None:
            yield tuple(table[some] for table in tables)
        else:
            yield tuple(functional.embedding(chosen[:, some], table) for table in tables)

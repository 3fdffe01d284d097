"""UniSAR's network: from embeddings to the score of a candidate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.unisar.attention import TargetAttention
from baselines.unisar.contrast import Alignment, ViewContrast
from baselines.unisar.encoder import HistoryEncoder, Reading
from baselines.unisar.extraction import Extraction
from baselines.unisar.match import Match
from baselines.unisar.settings import UniSARSettings
from baselines.words import MeanOfWords
from benchmark.data.requests import Task

__all__ = ["AskedRequests", "UniSARNetwork"]

PAIRS_AT_ONCE = 4096
"""Pairs of request and candidate whose experts are computed at a time; they fit a CPU's cache."""


@dataclass(frozen=True)
class AskedRequests:
    """A batch of requests of one task after everything that does not depend on a candidate.

    Attributes:
        rec: what the network read in the recommendation history.
        search: what it read in the search history.
        about: user and query, ``[requests, asked, 2 * width]``: training asks several things of
            one history.
    """

    rec: Reading
    search: Reading
    about: Tensor


class UniSARNetwork(nn.Module):
    """Embeddings, history encoder, target attention, extraction, and the losses' own weights."""

    item_words: Tensor

    def __init__(
        self, users: int, item_words: Tensor, pieces: int, settings: UniSARSettings
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
        self.no_query = nn.Parameter(torch.zeros(width))
        self.encoder = HistoryEncoder(settings)
        self.target_rec = TargetAttention(width)
        self.target_search = TargetAttention(width)
        self.extraction = Extraction(
            2 * width, width, 2 * width, settings.experts, settings.dropout
        )
        self.match = Match(2 * width, width, 2 * width) if settings.match else None
        self.align = Alignment(width, settings.align_temperature)
        self.contrast_rec = ViewContrast(width, settings.contrast_temperature)
        self.contrast_search = ViewContrast(width, settings.contrast_temperature)

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

    def score(
        self, task: Task, asked: AskedRequests, items: Tensor, chosen: Tensor | None
    ) -> Tensor:
        """Return scores ``[requests, asked, candidates]``.

        Args:
            task: the task that all requests ask for.
            asked: the requests.
            items: vectors of items, ``[items, width]``.
            chosen: int64 ``[requests, candidates]``, rows of ``items``; ``None`` for all of them.
        """
        keys = (
            self.target_rec.keys(asked.rec.fused),
            self.target_search.keys(asked.search.fused),
        )
        of_pair, of_item, of_request = self.extraction.shares(task, items, asked.about)
        count = len(items) if chosen is None else chosen.shape[1]
        step = max(1, PAIRS_AT_ONCE // max(of_request[..., 0].numel(), 1))
        scores = []
        for start in range(0, count, step):
            some = slice(start, start + step)
            if chosen is None:
                candidates, share = items[some], of_item[some]
            else:
                candidates = nn.functional.embedding(chosen[:, some], items)
                share = nn.functional.embedding(chosen[:, some], of_item)
            pair = self._pair(asked, keys, candidates)
            first = pair @ of_pair.T
            first += share
            score = self.extraction(task, first.unsqueeze(1) + of_request.unsqueeze(2))
            if self.match is not None:
                score = score + self.match(task, pair, asked.about, candidates)
            scores.append(score)
        return torch.cat(scores, dim=2)

    def _pair(
        self, asked: AskedRequests, keys: tuple[Tensor, Tensor], candidates: Tensor
    ) -> Tensor:
        """Return what both histories say about each candidate, ``[requests, n, 2 * width]``."""
        rec, search = asked.rec, asked.search
        return torch.cat(
            [
                self.target_rec(keys[0], rec.fused, rec.real, candidates),
                self.target_search(keys[1], search.fused, search.real, candidates),
            ],
            dim=-1,
        )

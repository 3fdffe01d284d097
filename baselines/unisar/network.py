"""UniSAR's network: from embeddings to the score of a candidate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.two_histories.alignment import Alignment
from baselines.two_histories.attention import TargetAttention
from baselines.two_histories.network import CandidateNetwork, Events, some_candidates
from baselines.unisar.contrast import ViewContrast
from baselines.unisar.encoder import HistoryEncoder, Reading
from baselines.unisar.extraction import Extraction
from baselines.unisar.match import Match
from baselines.unisar.settings import UniSARSettings
from benchmark.data.requests import Task

__all__ = ["AskedRequests", "UniSARNetwork"]


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


class UniSARNetwork(CandidateNetwork):
    """Embeddings, history encoder, target attention, extraction, and the losses' own weights."""

    def __init__(
        self, users: int, item_words: Tensor, pieces: int, settings: UniSARSettings
    ) -> None:
        """Build with fresh weights, as :class:`CandidateNetwork` is."""
        super().__init__(users, item_words, pieces, settings)
        width = settings.width
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

    def ask(
        self, rec: Events, search: Events, users: Tensor, queries: Tensor | None
    ) -> AskedRequests:
        """Return the requests after everything that does not depend on a candidate."""
        of_rec, of_search = self.encoder(rec, search)
        users = users.unsqueeze(1)
        if queries is None:
            queries = self.no_query.expand_as(users)
        about = torch.cat([users.expand_as(queries), queries], dim=-1)
        return AskedRequests(of_rec, of_search, about)

    def score(
        self, task: Task, asked: AskedRequests, items: Tensor, chosen: Tensor | None
    ) -> Tensor:
        """Return scores ``[requests, asked, candidates]``."""
        keys = (
            self.target_rec.keys(asked.rec.fused),
            self.target_search.keys(asked.search.fused),
        )
        of_pair, of_item, of_request = self.extraction.shares(task, items, asked.about)
        scores = []
        pairs = of_request[..., 0].numel()
        for candidates, share in some_candidates((items, of_item), chosen, pairs):
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

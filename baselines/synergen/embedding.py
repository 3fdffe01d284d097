"""The learned model as a whole: vectors of events, tokens and items around the transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.synergen.network import Memory, Read, Transformer
from baselines.synergen.rotary import Rotation
from baselines.synergen.settings import SynerGenSettings
from baselines.words import MeanOfWords
from benchmark.learning.dropout import ByteDropout

__all__ = ["SynerGenNetwork"]

SHARPNESS = 10.0
"""What the cosine of a ranking token and its candidate is multiplied with."""


class SynerGenNetwork(nn.Module):
    """All weights.

    Args:
        settings: sizes.
        item_texts: ``[items, 384]``, vectors of the items' texts, not trained.
        words: number of word pieces, 0 where queries come as vectors of the same encoder.
    """

    def __init__(self, settings: SynerGenSettings, item_texts: Tensor, words: int) -> None:
        super().__init__()
        width = settings.width
        self.head_size = width // settings.heads
        self.item_texts: Tensor
        self.register_buffer("item_texts", item_texts)
        self.text = nn.Linear(item_texts.shape[1], width, bias=False)
        self.words = MeanOfWords(words, width) if words else None
        self.item_id = nn.Embedding(len(item_texts), width)
        self.kind, self.task = nn.Embedding(2, width), nn.Embedding(2, width)
        self.event_item, self.event_query = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.token_query, self.candidate = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.transformer = Transformer(
            width, settings.layers, settings.heads, settings.inner, settings.dropout
        )
        self.wish = nn.Linear(width, width, bias=False)
        self.match = nn.Linear(width, width, bias=False)
        self.head = nn.Linear(width, 1)
        self.item_dropout = ByteDropout(settings.dropout)
        for table in (self.item_id, self.kind, self.task):
            nn.init.normal_(table.weight, std=0.02)

    @torch.no_grad()
    def start(self, query_texts: Tensor | None) -> None:
        """Let text vectors pass through unchanged at first, so that search starts from meaning.

        The shared projection keeps the main directions of item and query texts, and what leads
        from query to wished-for item starts as the identity.
        """
        known = [self.item_texts] if query_texts is None else [self.item_texts, query_texts]
        whole = torch.cat(known).double()
        directions = torch.linalg.eigh(whole.T @ whole).eigenvectors.flip(1).T
        kept = min(len(directions), len(self.text.weight))
        self.text.weight[:kept] = directions[:kept].float()
        for layer in (self.token_query, self.wish, self.match):
            nn.init.eye_(layer.weight)

    def items(self) -> Tensor:
        """Return the items' vectors, ``[items, width]``."""
        return self.text(self.item_texts) + self.item_id.weight

    def queries(self, features: Tensor) -> Tensor:
        """Return vectors of queries, ``[..., width]``: zeros for no query.

        ``features`` holds text vectors ``[..., 384]`` or word pieces ``[..., pieces]``.
        """
        return self.text(features) if self.words is None else self.words(features)

    def read(
        self,
        items: Tensor,
        item: Tensor,
        kind: Tensor,
        query: Tensor,
        rotation: Rotation,
        seen: Tensor,
    ) -> Memory:
        """Return the memory of events.

        Args:
            items: ``[items, width]``, from :meth:`items`.
            item: int64 ``[rows, window]``.
            kind: int64 ``[rows, window]``.
            query: ``[rows, window, width]``, from :meth:`queries`.
            rotation: of the events.
            seen: bool ``[rows, window, window]``.
        """
        events = functional.embedding(item, self.event_item(self.item_dropout(items)))
        events = events + self.kind(kind) + self.event_query(query)
        return self.transformer.read(events, rotation, seen)

    def tokens(self, search: Tensor, query: Tensor) -> Tensor:
        """Return retrieval tokens before the transformer, ``[rows, tokens, width]``."""
        return self.task(search.long()) + self.token_query(query)

    def wished(self, read: Read) -> Tensor:
        """Return the unit vectors that items are compared with, ``[rows, tokens, width]``."""
        return functional.normalize(self.wish(self.transformer.answer(read)), dim=-1)

    def rank(self, read: Read, items: Tensor, candidates: Tensor) -> Tensor:
        """Return the ranking tokens' scores, ``[rows, tokens, candidates]``.

        A score is a cosine of the token's state and the item (what a feed-forward layer finds
        hard to compute from a sum of both), sharpened, plus a linear function of the state.

        Args:
            read: retrieval tokens; a ranking token reads what its retrieval token reads.
            items: ``[items, width]``, from :meth:`items`.
            candidates: int64 ``[rows, tokens, candidates]``.
        """
        beside = read.beside(functional.embedding(candidates, self.candidate(items)))
        states = self.transformer.answer(beside)
        units = functional.embedding(candidates, functional.normalize(items, dim=-1))
        wished = functional.normalize(self.match(states), dim=-1).view_as(units)
        return self.head(states).view(candidates.shape) + SHARPNESS * (wished * units).sum(dim=-1)

"""Items' vectors as both tasks read them: with a user's, and through frozen word vectors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from baselines.jsr.settings import JSRSettings
from baselines.user_vectors import UserVectors
from benchmark.data.requests import PAD

__all__ = ["JSRNetwork"]

ITEMS_AT_ONCE = 1024
"""Items whose language models are laid out at a time."""


class JSRNetwork(nn.Module):
    """A vector for each user and item, a scorer of their product, and language models of items.

    Args:
        known: bool ``[users]``, who has an event to learn from.
        items: size of the catalogue.
        word_vectors: ``[vocabulary, word width]``, which stay as they are.
        settings: width, layers and dropout.
    """

    word_vectors: Tensor

    def __init__(
        self, known: Tensor, items: int, word_vectors: Tensor, settings: JSRSettings
    ) -> None:
        super().__init__()
        width = settings.width
        self.users = UserVectors(known, width, 1 / width)
        self.items = nn.Embedding(items, width)
        nn.init.normal_(self.items.weight, std=1 / width)
        self.register_buffer("word_vectors", word_vectors)
        self.to_words = nn.Linear(width, word_vectors.shape[1], bias=False)
        hidden = [
            layer
            for _ in range(settings.layers)
            for layer in (nn.Linear(width, width), nn.ReLU(), nn.Dropout(settings.dropout))
        ]
        self.dropout = nn.Dropout(settings.dropout)
        self.scorer = nn.Sequential(*hidden, nn.Linear(width, 1)) if hidden else None
        self._log_sums: Tensor | None = None

    def train(self, mode: bool = True) -> Any:
        """Forget what was kept for answering: between two calls weights do not change."""
        self._log_sums = None
        return super().train(mode)

    def match(self, users: Tensor, items: Tensor) -> Tensor:
        """Return how well vectors ``[..., width]`` of users and items go together, ``[...]``."""
        both = self.dropout(users * items)
        if self.scorer is None:
            return both.sum(dim=-1)
        scores: Tensor = self.scorer(both).squeeze(-1)
        return scores

    def words(self) -> Tensor:
        """Return the vocabulary in the space of items, ``[vocabulary, width]``.

        ``(W i) . e`` is ``i . (W' e)``; the latter is a product in far fewer dimensions.
        """
        return self.word_vectors @ self.to_words.weight

    def language_loss(self, items: Tensor, words: Tensor) -> Tensor:
        """Return the summed loss of texts: of each, the mean of its words' ``-log P(word | item)``.

        Args:
            items: int64 ``[texts]``, whose texts they are.
            words: int64 ``[texts, words]``, places in the vocabulary or ``PAD``; one real at least.
        """
        vectors, table, real = self.items(items), self.words(), words != PAD
        logits = vectors @ table.T
        own = logits.gather(1, words.clamp_min(0)) * real
        return (logits.logsumexp(dim=1) - own.sum(dim=1) / real.sum(dim=1)).sum()

    def likelihoods(self, words: Tensor) -> Tensor:
        """Return the mean ``log P(word | item)`` of queries' words, ``[queries, items]``.

        ``words`` is as of :meth:`language_loss`; a query without any word has 0 everywhere.
        """
        real = words != PAD
        count = real.sum(dim=1, keepdim=True)
        table = self.words()[words.clamp_min(0)] * real.unsqueeze(-1)
        means = table.sum(dim=1) / count.clamp_min(1)
        return means @ self.items.weight.T - self.log_sums() * (count > 0)

    def log_sums(self) -> Tensor:
        """Return the logarithm of each item's sum over the vocabulary, ``[items]``."""
        if self._log_sums is None:
            table = self.words().T
            some = self.items.weight.split(ITEMS_AT_ONCE)
            parts = [(vectors @ table).logsumexp(dim=1) for vectors in some]
            self._log_sums = torch.cat(parts)
        return self._log_sums

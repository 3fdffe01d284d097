"""Vectors of users, items and words, and how a request's is made of them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from baselines.fm.settings import FMSettings
from baselines.user_vectors import UserVectors
from baselines.words import NO_WORD, MeanOfWords

__all__ = ["FMNetwork"]


class FMNetwork(nn.Module):
    """Holds a vector for each user, item and word.

    Args:
        known: bool ``[users]``, who has an event to learn from.
        items: size of the catalogue.
        words: size of the vocabulary.
        settings: width, pooling and dropout.
    """

    def __init__(self, known: Tensor, items: int, words: int, settings: FMSettings) -> None:
        super().__init__()
        std = 1 / settings.width
        self.users = UserVectors(known, settings.width, std)
        self.items = nn.Embedding(items, settings.width)
        self.words = MeanOfWords(words, settings.width)
        self.summed = settings.pooling == "sum"
        self.dropout = settings.dropout
        for table in (self.items, self.words.table):
            nn.init.normal_(table.weight, std=std)

    def forward(self, users: Tensor, words: Tensor) -> Tensor:
        """Return the vectors of requests to train on, ``[requests, width]``.

        Args:
            users: int64 ``[requests]``, all of them known.
            words: int64 ``[requests, words]``, ``NO_WORD`` on the right.
        """
        vectors = self.users(users) + self.queries(words)
        return functional.dropout(vectors, self.dropout, self.training)

    def answering(self, users: Tensor, words: Tensor) -> Tensor:
        """Return the vectors of requests to answer; who is not known is the mean of those who are.

        Arguments and result are those of :meth:`forward`, users may be any.
        """
        return self.users.of_any(users) + self.queries(words)

    def queries(self, words: Tensor) -> Tensor:
        """Return the vectors of queries, ``[queries, width]``; zeros for one without words."""
        vectors: Tensor = self.words(words)
        if self.summed:
            vectors = vectors * (words != NO_WORD).sum(dim=-1, keepdim=True)
        return vectors

"""Requests as the network takes them: each distinct item and query becomes a vector once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baselines.two_histories.histories import Behaviour, Histories
from baselines.two_histories.network import CandidateNetwork, Events
from baselines.words import Words
from benchmark.data.catalogue import Queries
from benchmark.data.requests import Requests, Task

__all__ = ["Lookup", "Reader", "distinct"]


def distinct(*arrays: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the values that occur in any of the arrays, ascending."""
    return np.unique(np.concatenate([array.ravel() for array in arrays])).astype(np.int64)


@dataclass(frozen=True)
class Lookup:
    """Vectors of some rows of a table.

    Attributes:
        rows: int64 ``[n]``, ascending.
        vectors: ``[n, width]``.
    """

    rows: NDArray[np.int64]
    vectors: Tensor

    def places(self, rows: NDArray[np.integer]) -> Tensor:
        """Return where in ``vectors`` each of ``rows`` is; all must be there, int64, same shape."""
        return torch.as_tensor(np.searchsorted(self.rows, rows), device=self.vectors.device)

    def __call__(self, rows: NDArray[np.integer]) -> Tensor:
        """Return the vectors of ``rows``, one more axis than ``rows`` has."""
        return functional.embedding(self.places(rows), self.vectors)


@dataclass(frozen=True)
class Reader:
    """Feeds requests to a network.

    Attributes:
        network: what turns rows into vectors.
        words: splits queries into word pieces.
        longest: most pieces of a query.
        device: where the network is.
    """

    network: CandidateNetwork
    words: Words
    longest: int
    device: str

    def items(self, rows: NDArray[np.int64]) -> Lookup:
        """Return the vectors of the items at ``rows`` (ascending)."""
        return Lookup(rows, self.network.items(self._tensor(rows)))

    def queries(self, queries: Queries, rows: NDArray[np.int64]) -> Lookup:
        """Return the vectors of the queries at ``rows`` (ascending, ``NO_QUERY`` may be first)."""
        pieces = self.words.of_queries(queries, self.longest)[rows]
        return Lookup(rows, self.network.texts(self._tensor(pieces)))

    def ask(
        self,
        requests: Requests,
        wanted: NDArray[np.integer],
        histories: Histories,
        items: Lookup,
        queries: Lookup,
    ) -> Any:
        """Return the requests after all that does not depend on a candidate.

        Args:
            requests: requests of one task.
            wanted: query rows ``[requests, asked]``, for search.
            histories: of the requests.
            items: holds what occurs in the histories, and item 0.
            queries: holds what occurs in the histories and, for search, in ``wanted``.
        """
        return self.network.ask(
            self._events(histories.rec, items(np.maximum(histories.rec.item, 0))),
            self._events(
                histories.search,
                items(np.maximum(histories.search.item, 0)) + queries(histories.search.query),
            ),
            self.network.users(self._tensor(requests.user.astype(np.int64))),
            queries(wanted) if requests.task is Task.SEARCH else None,
        )

    def _events(self, behaviour: Behaviour, vectors: Tensor) -> Events:
        return Events(
            vectors,
            self._tensor(behaviour.age),
            self._tensor(behaviour.age_among_all),
            torch.as_tensor(behaviour.real, device=self.device),
        )

    def _tensor(self, array: NDArray[np.int64]) -> Tensor:
        return torch.as_tensor(array, device=self.device)

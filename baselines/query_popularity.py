"""Popularity given the query: what was reached with the same words before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from baselines.sparse import at, rows_or_none
from benchmark.data.events import EventSource
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work
from benchmark.search_space import Dimension, Range
from benchmark.settings import setting

__all__ = ["QueryPopularity", "QueryPopularitySettings"]


@dataclass(frozen=True)
class QueryPopularitySettings:
    """Settings of :class:`QueryPopularity`."""

    smoothing: float = setting(1.0, "searches that popularity counts as, for every query", low=1e-6)


class QueryPopularity(Model[QueryPopularitySettings]):
    """The probability of an item given the query's words, smoothed by popularity.

    Counts of training searches with the same words, with Dirichlet smoothing (Zhai and Lafferty
    2004): ``(n(q, i) + smoothing * p(i)) / (n(q) + smoothing)``, where ``p(i)`` is the item's share
    of all training events, each counted once more than it occurs.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.SEARCH})
    uses_seed: ClassVar[bool] = False
    Settings = QueryPopularitySettings
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "smoothing": Range(0.1, 1000.0, log=True)
    }

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell the counts, the words, and a batch's scores in a few steps of their arithmetic."""
        words = 2 * sizes.query_bytes + 150 * sizes.queries
        return Needs(
            (Work(moved=100 * sizes.searches, held=40 * sizes.searches + words),),
            Work(moved=16 * sizes.items, held=4 * 4 * sizes.at_once * sizes.items),
            kept=8 * sizes.searches + 4 * sizes.items + words,
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(query_text=True, rec_targets="", longest_history=0)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Count."""
        log, items = train.log, len(train.items)
        rows = log.rows_of_kind[EventSource.SEARCHED]
        words = [folded(text) for text in train.queries.texts]
        number = {text: i for i, text in enumerate(dict.fromkeys(words))}
        text = np.array([number[each] for each in words], dtype=np.int64)[log.query[rows]]
        ones = np.ones(len(rows), dtype=np.float32)
        self.number = number
        self.counts = csr_array((ones, (text, log.item[rows])), shape=(len(number), items))
        self.counts.sum_duplicates()
        times = np.bincount(log.item, minlength=items) + 1.0
        self.popularity = (times / times.sum()).astype(np.float32)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return each candidate's probability; popularity where the words are new."""
        texts = [self.number.get(folded(text), -1) for text in requests.query_texts()]
        known = np.array(texts, dtype=np.int64)
        found = rows_or_none(self.counts, known)
        searches = found.sum(axis=1)[:, None]
        smoothing = np.float32(self.settings.smoothing)
        if requests.candidates is None:
            reached, share = found.toarray(), self.popularity[None, :]
        else:
            reached = at(found, requests.candidates)
            share = self.popularity[requests.candidates]
        return ((reached + smoothing * share) / (searches + smoothing)).astype(np.float32)

    def parameters(self) -> int:
        """Return the number of counts."""
        return self.counts.nnz + len(self.popularity)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the counts and the words."""
        arrays = {
            "data": self.counts.data,
            "indices": self.counts.indices,
            "indptr": self.counts.indptr,
            "popularity": self.popularity,
        }
        return arrays, {"words": list(self.number)}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the counts and the words."""
        self.popularity = arrays["popularity"]
        self.number = {text: i for i, text in enumerate(values["words"])}
        shape = (len(self.number), len(self.popularity))
        self.counts = csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)


def folded(text: str) -> str:
    """Return the words of a query in lower case, a blank between any two."""
    return " ".join(text.casefold().split())

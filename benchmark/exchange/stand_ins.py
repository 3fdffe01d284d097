"""Stand-ins for a model, so that answers on disk go through the harness as a model's own do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import EvaluationSet, TrainView
from benchmark.data.requests import PAD, Requests, Task
from benchmark.evaluation.evaluate import Protocol, seen_mask
from benchmark.model import Model, TrainingContext, Validation, top_k

__all__ = ["Hear", "Overheard", "Recited"]

Hear = Callable[[int, NDArray[np.int32], NDArray[np.float32]], None]
"""Takes the number of the first request, and items and scores ``[requests, k]``, best first."""


class _StandIn(Model):
    """Learns nothing. It is asked all requests of one task, in their order."""

    tasks = frozenset(Task)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Do nothing."""

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return nothing."""
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Do nothing."""


class Overheard(_StandIn):
    """Passes the requests on to a model, and tells what it answers.

    Args:
        model: who answers.
        evaluation: the requests that it will be asked.
        hear: what to call under which protocol; candidates that were never produced are ``PAD``.
        depth: items told of each request under the full protocol. Of a model that retrieves, no
            more can be told than the harness asks for, as with more its answer might be another.
    """

    def __init__(
        self, model: Model, evaluation: EvaluationSet, hear: Mapping[Protocol, Hear], depth: int
    ) -> None:
        super().__init__()
        self.scores_catalogue = model.scores_catalogue  # type: ignore[misc]  # as the model does
        self._model, self._evaluation, self._hear, self._depth = model, evaluation, hear, depth
        self._asked: dict[Protocol, int] = {"full": 0, "sampled": 0}

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the model's scores."""
        scores = np.asarray(self._model.score(requests))
        rows = self._next("sampled", len(requests))
        lists = self._evaluation.sampled[rows]
        if requests.candidates is not None:
            self._tell_sampled(rows.start, lists, scores)
            return scores
        if "full" in self._hear:
            kept = scores.astype(np.float32)
            kept[self._left_out(requests, rows)] = -np.inf
            self._hear["full"](rows.start, *top_k(kept, self._depth))
        self._tell_sampled(rows.start, lists, np.take_along_axis(scores, lists, axis=1))
        return scores

    def retrieve(self, requests: Requests, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return what the model retrieves."""
        items, scores = self._model.retrieve(requests, k)
        first = self._next("full", len(requests)).start
        self._hear["full"](first, items[:, : self._depth], scores[:, : self._depth])
        return items, scores

    def _next(self, protocol: Protocol, size: int) -> slice:
        start = self._asked[protocol]
        self._asked[protocol] += size
        return slice(start, start + size)

    def _left_out(self, requests: Requests, rows: slice) -> NDArray[np.bool_]:
        if not requests.exclude_seen:
            return np.zeros((len(requests), requests.items), dtype=bool)
        seen = seen_mask(requests)
        seen[np.arange(len(requests)), self._evaluation.targets[rows]] = False
        return seen

    def _tell_sampled(
        self, first: int, lists: NDArray[np.int32], scores: NDArray[np.float32]
    ) -> None:
        if "sampled" in self._hear:
            columns, best = top_k(np.where(lists == PAD, -np.inf, scores), lists.shape[1])
            items = np.take_along_axis(lists, np.maximum(columns, 0), axis=1)
            self._hear["sampled"](first, np.where(columns == PAD, PAD, items), best)


class Recited(_StandIn):
    """Gives the answers of a listing; what is not listed was never produced.

    Args:
        request: number of the request of each listed item, ``[lines]``, ascending.
        item: the listed item, ``[lines]``.
        score: ``[lines]``, finite; it counts within its request only.
    """

    def __init__(
        self,
        request: NDArray[np.integer],
        item: NDArray[np.integer],
        score: NDArray[np.float32],
    ) -> None:
        super().__init__()
        self._request, self._item, self._score = request, item, score
        self._asked = 0

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the listed scores over the whole catalogue."""
        start, stop = self._asked, self._asked + len(requests)
        self._asked = stop
        lines = slice(*np.searchsorted(self._request, [start, stop]))
        scores = np.full((len(requests), requests.items), -np.inf, dtype=np.float32)
        scores[self._request[lines] - start, self._item[lines]] = self._score[lines]
        return scores

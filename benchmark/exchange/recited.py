"""A stand-in for a model, so that answers on disk go through the harness as a model's own do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import TrainView
from benchmark.data.requests import Requests, Task
from benchmark.model import Model, TrainingContext, Validation

__all__ = ["Recited"]


class Recited(Model):
    """Gives the answers of a listing; what is not listed was never produced.

    It learns nothing, and is asked all requests of one task, in their order.

    Args:
        request: number of the request of each listed item, ``[lines]``, ascending.
        item: the listed item, ``[lines]``.
        score: ``[lines]``, finite; it counts within its request only.
    """

    tasks = frozenset(Task)

    def __init__(
        self,
        request: NDArray[np.integer],
        item: NDArray[np.integer],
        score: NDArray[np.float32],
    ) -> None:
        super().__init__()
        self._request, self._item, self._score = request, item, score
        self._asked = 0

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Do nothing."""

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return nothing."""
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Do nothing."""

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the listed scores over the whole catalogue."""
        start, stop = self._asked, self._asked + len(requests)
        self._asked = stop
        lines = slice(*np.searchsorted(self._request, [start, stop]))
        scores = np.full((len(requests), requests.items), -np.inf, dtype=np.float32)
        scores[self._request[lines] - start, self._item[lines]] = self._score[lines]
        return scores

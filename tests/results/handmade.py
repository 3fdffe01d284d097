"""Models whose answers are known without training: they count from the last item of the history."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import Requests, Task
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.registry import ModelEntry

__all__ = ["ENTRIES", "Crowded", "Distinct", "Gappy", "Retrieving"]


class Distinct(Model):
    """Gives every item a score of its own; the next item stands near the top in the tiny data."""

    tasks = frozenset(Task)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        pass

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        pass

    def score(self, requests: Requests) -> NDArray[np.float32]:
        last = requests.history(1).item
        steps = (
            np.arange(requests.items) - last - 6 + requests.user[:, None] % 13
        ) % requests.items
        whole = self.scored(steps).astype(np.float32)
        return requests.of_candidates(whole)

    def scored(self, steps: NDArray[np.integer]) -> NDArray[np.floating]:
        return -steps / 7


class Gappy(Distinct):
    """Gives equal scores, and none at all to every third item."""

    def scored(self, steps: NDArray[np.integer]) -> NDArray[np.floating]:
        return np.where(steps % 3 == 0, -np.inf, -(steps // 5) / 7)


class Retrieving(Gappy):
    """Names its best items instead of scoring the catalogue."""

    scores_catalogue = False


class Crowded(Retrieving):
    """Gives half of the catalogue one score, so that a list of the best ends amid equals."""

    def scored(self, steps: NDArray[np.integer]) -> NDArray[np.floating]:
        return -(steps // 60).astype(float)


ENTRIES = {
    name: ModelEntry(name, ("rec", "search"), "baseline", "", f"{__name__}:{kind.__name__}")
    for name, kind in (
        ("distinct", Distinct),
        ("gappy", Gappy),
        ("retrieving", Retrieving),
        ("crowded", Crowded),
    )
}

"""Popularity given the query times item-kNN: joint search and recommendation by counting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from baselines.item_knn import ItemKNN, ItemKNNSettings
from baselines.query_popularity import QueryPopularity, QueryPopularitySettings
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, in_turn
from benchmark.search_space import Dimension
from benchmark.settings import setting

__all__ = ["GRID", "QueryPopItemKNN", "QueryPopItemKNNSettings"]

GRID = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""The weights that ``fit`` tries, ascending."""


@dataclass(frozen=True)
class QueryPopItemKNNSettings(ItemKNNSettings, QueryPopularitySettings):
    """Settings of :class:`QueryPopItemKNN`."""

    floor: float = setting(0.01, "added to similarities, so that none rules an item out", low=1e-6)
    weight: float | None = setting(None, "exponent of item-kNN; none: validation chooses")


class QueryPopItemKNN(Model[QueryPopItemKNNSettings]):
    """Searches by ``P(i | query) * (floor + item-kNN(i))^weight``, recommends by item-kNN."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC, Task.SEARCH})
    uses_seed: ClassVar[bool] = False
    Settings = QueryPopItemKNNSettings
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        **ItemKNN.search_space,
        **QueryPopularity.search_space,
    }

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        own = self.settings
        self.given_query = QueryPopularity(QueryPopularitySettings(own.smoothing))
        self.similar = ItemKNN(ItemKNNSettings(own.neighbours, own.shrinkage, own.recency))
        self.weight = 1.0 if own.weight is None else own.weight

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell what both parts need, and the validations that choose the weight."""
        both = (self.similar.needs(sizes, tasks), self.given_query.needs(sizes, tasks))
        request = in_turn(*(part.request for part in both))
        held = sum(part.request.held for part in both) + 8 * sizes.at_once * sizes.items
        request = replace(request, held=held)
        tried = len(GRID) * sizes.requests("validation", (Task.SEARCH,))
        chosen = request * (tried if self.settings.weight is None else 0)
        fit = in_turn(*(work for part in both for work in part.fit), chosen)
        return Needs((fit,), request, kept=sum(part.kept for part in both))

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(query_text=True)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Count, compute neighbours, and choose the exponent on validation where none is given."""
        self.similar.fit(train, validation, context)
        self.given_query.fit(train, validation, context)
        if self.settings.weight is None and Task.SEARCH in context.tasks:
            self.weight = self._best_weight(validation, context)

    def _best_weight(self, validation: Validation, context: TrainingContext) -> float:
        """Return the best weight of the grid; the smallest of equally good ones."""
        found = {}
        for weight in GRID:
            self.weight = weight
            found[weight] = validation.measure(self).get(str(Task.SEARCH), 0.0)
        best = max(found, key=found.__getitem__)
        context.run_log.facts["weight"] = best
        context.run_log.facts["validation_by_weight"] = {str(w): v for w, v in found.items()}
        return best

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return similarities for recommendation, logarithms of the product for search."""
        near = self.similar.score(requests)
        if requests.task is Task.REC:
            return near
        given = np.log(self.given_query.score(requests))
        weight, floor = np.float32(self.weight), np.float32(self.settings.floor)
        return given + weight * np.log(near + floor)

    def parameters(self) -> int:
        """Return the number of counts, similarities and the weight."""
        return self.given_query.parameters() + self.similar.parameters() + 1

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return what both parts learned, and the weight."""
        arrays: dict[str, NDArray] = {}
        values: dict[str, Any] = {"weight": self.weight}
        for name, part in (("given_query", self.given_query), ("similar", self.similar)):
            own, values[name] = part.state()
            arrays |= {f"{name}.{each}": array for each, array in own.items()}
        return arrays, values

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back what both parts learned, and the weight."""
        self.weight = values["weight"]
        for name, part in (("given_query", self.given_query), ("similar", self.similar)):
            own = {k.removeprefix(f"{name}."): a for k, a in arrays.items() if k.startswith(name)}
            part.restore(own, values[name])

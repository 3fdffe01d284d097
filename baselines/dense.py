"""Dense retrieval: query and item text as vectors, an item's score is their dot product."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from baselines.bi_encoder import BiEncoder, TuneSettings, query_item_pairs, tune
from baselines.sentence_search import SentenceSearch, searching
from benchmark.budget import budgeted
from benchmark.data.requests import Task
from benchmark.learning.costs import USUAL_STEPS, epoch_of, trained, validations
from benchmark.model import TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, in_turn
from benchmark.search_space import Dimension, Range
from benchmark.settings import setting

__all__ = ["Dense", "DenseSettings"]


@dataclass(frozen=True)
class DenseSettings(TuneSettings):
    """Settings of :class:`Dense`; the defaults are those of ``standard``."""

    encoder: str = setting("minilm", "the bundled MiniLM or a hub name")
    tuning: Literal["none", "queries"] = setting(
        "queries", "the encoder as it is, or tuned on training queries"
    )


class Dense(SentenceSearch[DenseSettings]):
    """Exact search by the cosine of a query's vector and each item's, whoever asks."""

    Settings = DenseSettings
    # The encoder was trained before; rates of models that start from nothing would undo that.
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "learning_rate": Range(1e-5, 3e-4, log=True)
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = budgeted(
        {
            "quick": {"steps": 4, "validate_every": 4},
            "paper": {
                "longest": 256,
                "dropout": 0.1,
                "batch_size": 128,
                "learning_rate": 1e-5,
                "pairs": 0,
                "epochs": 40,
                "patience": 40,
                "validation_requests": 0,
            },
        }
    )

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the encoder, two texts of a pair at a time, and the vectors of the items."""
        settings = self.settings
        search = searching(settings.encoder, settings.longest, sizes)
        if search is None:
            return None
        if settings.tuning != "queries" or not sizes.searches:
            return search.needs()
        pairs = min(settings.pairs or sizes.searches, sizes.searches)
        batch = min(settings.batch_size, pairs)
        epoch = epoch_of(
            search.encoder,
            pairs * search.pieces,
            batch * search.pieces,
            pairs / settings.batch_size,
        )
        steps = pairs / settings.batch_size
        once = trained(settings, epoch, steps, search.request, sizes, (Task.SEARCH,))
        validated = search.items * validations(settings, settings.steps or USUAL_STEPS)
        return search.needs(in_turn(once, validated).named("tuning"))

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Tune the encoder where that is asked for and there are pairs; encode the items."""
        settings, run_log = self.settings, context.run_log
        self.encoder = BiEncoder(settings.encoder, context.device, settings.longest)
        group = query_item_pairs(train)
        self.tuned = settings.tuning == "queries" and len(group.pairs) > 0
        if self.tuned:
            limit = settings.validation_requests or None

            def measure() -> dict[str, float]:
                self.take_items(train, context)
                return validation.measure(self, limit)

            run_log.facts["pairs"] = len(group.pairs)
            with run_log.phase("tuning"):
                tune(self.encoder, [group], settings, context, measure, "dense")
        with run_log.phase("item vectors"):
            self.take_items(train, context)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of queries."""
        return self.encoder.encode(texts)

    def encode_items(
        self, texts: Sequence[str], advance: Callable[[int], None]
    ) -> NDArray[np.float32]:
        """Return the vectors of items, which are made as those of queries are."""
        return self.encoder.encode(texts, advance)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the items' vectors and, where they were tuned, the encoder's weights."""
        weights = self.encoder.weights() if self.tuned else {}
        arrays = {f"encoder.{name}": array for name, array in weights.items()}
        return {"items": self.vectors, **arrays}, {"tuned": self.tuned}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take the encoder that the settings name, and its tuned weights where there are any."""
        self.encoder = BiEncoder(self.settings.encoder, "cpu", self.settings.longest)
        self.tuned, self.vectors = values["tuned"], arrays["items"]
        if self.tuned:
            start = "encoder."
            weights = {n[len(start) :]: a for n, a in arrays.items() if n.startswith(start)}
            self.encoder.take(weights)

"""Dense retrieval: query and item text as vectors, an item's score is their dot product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from baselines.bi_encoder import BiEncoder, TuneSettings, query_item_pairs, tune
from benchmark.budget import budgeted
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.learning.costs import (
    FLOAT,
    USUAL_STEPS,
    encoder_of,
    encoding,
    epoch_of,
    trained,
    validations,
)
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work, in_turn
from benchmark.search_space import Dimension, Range
from benchmark.settings import setting

__all__ = ["Dense", "DenseSettings"]

WIDTH = 384
"""Of the bundled encoder's vectors; those of others are twice as wide at most."""
ITEMS_AT_ONCE = 2**16
"""Items whose vectors are held in double precision at a time."""


@dataclass(frozen=True)
class DenseSettings(TuneSettings):
    """Settings of :class:`Dense`; the defaults are those of ``standard``."""

    encoder: str = setting("minilm", "the bundled MiniLM or a hub name")
    tuning: Literal["none", "queries"] = setting(
        "queries", "the encoder as it is, or tuned on training queries"
    )


class Dense(Model[DenseSettings]):
    """Exact search by the cosine of a query's vector and each item's, whoever asks."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.SEARCH})
    Settings = DenseSettings
    uses_gpu = True
    shares_training = True
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

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse items without a text: all would have one vector.

        Raises:
            InputError: no item has any.
        """
        if not train.items.have_texts:
            raise InputError("dense search needs items with a text, and this data set has none")

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the encoder, two texts of a pair at a time, and the vectors of the items."""
        settings = self.settings
        item, query = (sizes.item_pieces(settings.longest), sizes.query_pieces(settings.longest))
        encoder = encoder_of(settings.encoder, max(item, query))
        if encoder is None:
            return None
        items = encoding(encoder, sizes.items, item).named("item vectors")
        asked = encoding(encoder, 1, query)
        request = Work(
            flop=asked.flop + 2 * 2 * sizes.items * WIDTH,
            moved=asked.moved + 8 * sizes.items,
            calls=asked.calls,
            held=asked.held
            + 3 * FLOAT * sizes.at_once * sizes.items
            + 2 * FLOAT * WIDTH * min(sizes.items, ITEMS_AT_ONCE),
            encoder=encoder.weights,
        )
        phases = [items]
        if settings.tuning == "queries" and sizes.searches:
            pairs = min(settings.pairs or sizes.searches, sizes.searches)
            batch = min(settings.batch_size, pairs)
            positions = item + query
            epoch = epoch_of(
                encoder, pairs * positions, batch * positions, pairs / settings.batch_size
            )
            once = trained(
                settings, epoch, pairs / settings.batch_size, request, sizes, (Task.SEARCH,)
            )
            validated = items * validations(settings, settings.steps or USUAL_STEPS)
            phases.insert(0, in_turn(once, validated).named("tuning"))
        return Needs(
            tuple(phases),
            request,
            kept=FLOAT * (WIDTH * sizes.items + encoder.weights),
            libraries=("torch", "sentence-transformers"),
        )

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Tune the encoder where that is asked for and there are pairs; encode the items."""
        settings, run_log = self.settings, context.run_log
        self.encoder = BiEncoder(settings.encoder, context.device, settings.longest)
        group = query_item_pairs(train)
        self.tuned = settings.tuning == "queries" and len(group.pairs) > 0
        if self.tuned:
            limit = settings.validation_requests or None

            def measure() -> dict[str, float]:
                self._encode_items(train, context)
                return validation.measure(self, limit)

            run_log.facts["pairs"] = len(group.pairs)
            with run_log.phase("tuning"):
                tune(self.encoder, [group], settings, context, measure, "dense")
        with run_log.phase("item vectors"):
            self._encode_items(train, context)

    def _encode_items(self, train: TrainView, context: TrainingContext) -> None:
        with context.run_log.progress("item vectors", len(set(train.items.texts))) as bar:
            self.vectors = self.encoder.encode(train.items.texts, bar.advance)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the cosine of query and item.

        Products are summed in double precision: so they hang on the batch by less than a float's
        last digit, and ranks do not hang on it.
        """
        queries, rows = self._queries(requests)
        table = np.empty((len(queries), requests.items), dtype=np.float32)
        for start in range(0, requests.items, ITEMS_AT_ONCE):
            some = slice(start, start + ITEMS_AT_ONCE)
            table[:, some] = queries @ self.vectors[some].astype(np.float64).T
        return requests.of_candidates(table[rows])

    def request_vectors(self, requests: Requests) -> NDArray[np.float64]:
        """Return the queries' vectors, ``[requests, width]``."""
        queries, rows = self._queries(requests)
        return queries[rows]

    def ranked_vectors(self, task: Task) -> NDArray[np.float32]:
        """Return the items' vectors, ``[items, width]``."""
        return self.vectors

    def _queries(self, requests: Requests) -> tuple[NDArray[np.float64], list[int]]:
        """Return the vectors of the distinct queries, and the row of each request's."""
        texts = requests.query_texts()
        distinct = sorted(set(texts))
        place = {text: row for row, text in enumerate(distinct)}
        return self.encoder.encode(distinct).astype(np.float64), [place[text] for text in texts]

    def parameters(self) -> int:
        """Return the number of the encoder's weights."""
        return self.encoder.parameters()

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

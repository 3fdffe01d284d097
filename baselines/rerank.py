"""A cross-encoder that reorders the best of another model (Nogueira and Cho 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from baselines.pair_scores import PairScorer
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.given import Given
from benchmark.learning.costs import FLOAT, encoder_of, encoding
from benchmark.learning.encoder_sizes import weights_of
from benchmark.learning.pretrained import check_place, weights_digest
from benchmark.model import Model, SharedStep, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, in_turn
from benchmark.registry import find
from benchmark.search_space import Choice, Dimension
from benchmark.settings import build_settings, setting, settings_from_json
from benchmark.top_k import top_k

__all__ = ["Rerank", "RerankSettings", "stacked"]


@dataclass(frozen=True)
class RerankSettings:
    """Settings of :class:`Rerank`; the defaults are those of ``standard``."""

    first: str = setting("bm25", "the model whose best are reordered")
    cross_encoder: str = setting(
        "cross-encoder/ms-marco-MiniLM-L6-v2", "a hub name or a folder of a cross-encoder"
    )
    depth: int = setting(100, "how many of the first model's best are reordered")
    longest: int = setting(512, "word pieces of query and item together that are read", low=1)
    first_preset: str = setting("standard", "what the first model's settings are filled from")
    first_settings: str = setting("", "settings of the first model, as name=value;name=value")


class Rerank(Model[RerankSettings]):
    """The ``depth`` best of a first model in the order of a cross-encoder, then all others.

    The first model is trained as in its own run for search. It orders what is asked for, the
    catalogue or given candidates; the best of that go through the cross-encoder together with the
    query. Seen items take no place among them where the catalogue is ranked without these.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.SEARCH})
    Settings = RerankSettings
    uses_gpu = True
    # The best of the catalogue hold few of a list's candidates, of which others are reordered.
    scores_catalogue = False
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "depth": Choice((10, 20, 50, 100, 200))
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {"depth": 20, "first_preset": "quick"},
        "thorough": {"first_preset": "thorough"},
        "paper": {"depth": 1000, "first_preset": "paper"},
    }

    def __init__(self, settings: RerankSettings | None = None) -> None:
        super().__init__(settings)
        self.first = _first_of(self.settings)
        self.shares_training = self.first.shares_training  # type: ignore[misc]  # its part alone

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse what the first model refuses, items without a text, and a folder not there.

        Raises:
            InputError: one of these.
        """
        self.first.check(train, tasks)
        if not train.items.have_texts:
            raise InputError("reranking needs items with a text, and this data set has none")
        check_place("cross-encoder", self.settings.cross_encoder)

    def shared_steps(self, tasks: tuple[Task, ...]) -> Sequence[SharedStep]:
        """Return those of the first model."""
        return self.first.shared_steps(tasks)

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the first model's part, and a request's ``depth`` pairs."""
        settings, first = self.settings, self.first.needs(sizes, tasks)
        pieces = min(
            settings.longest,
            sizes.item_pieces(settings.longest) + sizes.query_pieces(settings.longest),
        )
        network = encoder_of(settings.cross_encoder, pieces)
        if first is None or network is None:
            return None
        pairs = encoding(network, min(settings.depth, sizes.items), pieces)
        # Scores are sorted in places of 8 bytes, and copied.
        ordered = 4 * 8 * sizes.at_once * sizes.items
        request = in_turn(first.request, pairs)
        libraries = dict.fromkeys((*first.libraries, "torch", "sentence-transformers"))
        return Needs(
            first.fit,
            replace(
                request,
                moved=request.moved + 32 * sizes.items,
                held=request.held + ordered,
                encoder=first.request.encoder + network.weights,
            ),
            kept=first.kept + FLOAT * network.weights + sizes.item_bytes,
            libraries=tuple(libraries),
        )

    def given(self) -> Given | None:
        """Tell what it reads."""
        first, encoder = self.first.given(), self.settings.cross_encoder
        if first is None:
            return None
        both = " and ".join(filter(None, (first.encoder, encoder)))
        weights = first.encoder_parameters + weights_of(encoder)
        return replace(
            first, item_text=True, query_text=True, encoder=both, encoder_parameters=weights
        )

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Load the cross-encoder, which may fail, and train the first model.

        Raises:
            InputError: the cross-encoder cannot be loaded.
        """
        self._load(context.device)
        self.texts: Sequence[str] = train.items.texts
        with context.run_log.phase("first"):
            self.first.fit(train, validation, context)

    def _load(self, device: str) -> None:
        self.pairs = PairScorer(self.settings.cross_encoder, device, self.settings.longest)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the cross-encoder's number for what is reordered, and less for all others.

        All others have whole numbers, the same where the first model's scores are.
        """
        scores = np.array(self.first.score(requests), dtype=np.float32)
        if self.settings.depth == 0:
            return scores
        listed, apart = requests.candidates, scores
        if listed is not None:
            # A short list repeats its last item, which is to take one place.
            again = np.pad(listed[:, 1:] == listed[:, :-1], ((0, 0), (1, 0)))
            scores[again] = -np.inf
        elif requests.exclude_seen:
            offsets, seen = requests.seen()
            apart = scores.copy()
            apart[np.repeat(np.arange(len(requests)), np.diff(offsets)), seen] = -np.inf
        columns, _ = top_k(apart, min(self.settings.depth, requests.width))
        items = columns
        if listed is not None:
            items = np.take_along_axis(listed, np.maximum(columns, 0), axis=1)
        ranked = stacked(scores, columns, self._fit_of(requests, items, columns >= 0))
        if listed is None:
            return ranked
        first = np.maximum.accumulate(np.where(again, 0, np.arange(requests.width)), axis=1)
        return np.take_along_axis(ranked, first, axis=1)

    def retrieve(self, requests: Requests, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the best ``k`` items: those that the first model retrieves, reordered."""
        depth = self.settings.depth
        items, scores = self.first.retrieve(requests, max(k, depth))
        if depth == 0:
            return items, scores
        columns = np.broadcast_to(np.arange(depth, dtype=np.int32), (len(items), depth))
        columns = np.where(items[:, :depth] >= 0, columns, -1)
        fits = self._fit_of(requests, items[:, :depth], columns >= 0)
        order, best = top_k(stacked(scores, columns, fits), k)
        found = np.take_along_axis(items, np.maximum(order, 0), axis=1)
        return np.where(order >= 0, found, -1).astype(np.int32), best

    def _fit_of(
        self, requests: Requests, items: NDArray[np.integer], real: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return how well items fit the query, ``[requests, n]``; minus infinity if not ``real``.

        A pair that several requests have is scored once.
        """
        queries, texts = np.unique(
            np.array(requests.query_texts(), dtype=object), return_inverse=True
        )
        catalogue = len(self.texts)
        keys = (texts.astype(np.int64)[:, None] * catalogue + items)[real]
        distinct, place = np.unique(keys, return_inverse=True)
        left, right = np.divmod(distinct, catalogue)
        scores = self.pairs(
            [queries[row] for row in left.tolist()], [self.texts[row] for row in right.tolist()]
        )
        found = np.full(items.shape, -np.inf, dtype=np.float32)
        found[real] = scores[place]
        return found

    def parameters(self) -> int:
        """Return the number of the first model's parameters and of the cross-encoder's weights."""
        return self.first.parameters() + self.pairs.parameters()

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the first model's state and settings, and the texts of the items."""
        arrays, values = self.first.state()
        own = {
            "first": values,
            "first_settings": asdict(self.first.settings),
            "texts": list(self.texts),
            "weights": weights_digest(self.pairs.network),
        }
        return {f"first.{name}": array for name, array in arrays.items()}, own

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the first model and the texts, and load the cross-encoder.

        Raises:
            InputError: it cannot be loaded, or its weights are others than they were.
        """
        kind = type(self.first)
        self.first = kind(settings_from_json(kind.Settings, values["first_settings"]))
        self.first.restore(
            {name.removeprefix("first."): array for name, array in arrays.items()}, values["first"]
        )
        self.texts = tuple(values["texts"])
        self._load("cpu")
        if weights_digest(self.pairs.network) != values["weights"]:
            name = self.settings.cross_encoder
            raise InputError(f"cross-encoder '{name}' has other weights than it had in that run")


def _first_of(settings: RerankSettings) -> Model:
    """Return the first model, untrained.

    Raises:
        InputError: there is none of that name, or it does not take these settings.
    """
    entry = find(settings.first)
    kind = entry.load()
    fixed, given = dict(entry.settings), []
    for part in filter(None, (part.strip() for part in settings.first_settings.split(";"))):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign:
            raise InputError(f"first_settings: '{part}': write it as name=value;name=value")
        if name in fixed:
            raise InputError(f"first_settings: {name}: the name of the model says it")
        given.append((name, value))
    try:
        own = build_settings(
            kind.Settings, kind.presets, settings.first_preset, [*given, *entry.settings]
        )
    except InputError as error:
        raise InputError(f"first_settings: model {entry.name}: {error}") from error
    return kind(own)


def stacked(
    scores: NDArray[np.float32], columns: NDArray[np.integer], fits: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return scores by which some columns come first, in an order of their own, and then the rest.

    Whole numbers that fall by 1 from each distinct score to the next keep the order and the ties of
    the rest exactly; shifted scores would be rounded together. They begin below the lowest ``fit``.

    Args:
        scores: float32 ``[rows, n]``, which order the rest; minus infinity stays.
        columns: ``[rows, depth]``, what comes first, -1 for nothing.
        fits: float32 ``[rows, depth]``, the scores of these.

    Returns:
        float32 ``[rows, n]``.
    """
    real = columns >= 0
    row, place = np.nonzero(real)
    rest = scores.copy()
    rest[row, columns[row, place]] = np.inf
    order = np.argsort(-rest, axis=1, kind="stable")
    falling = np.take_along_axis(rest, order, axis=1)
    steps = np.cumsum(falling[:, 1:] < falling[:, :-1], axis=1)
    # The chosen ones stand together at the front; a row without any begins with its best.
    steps = np.pad(steps, ((0, 0), (1, 0))) + ~real.any(axis=1, keepdims=True)
    bottom = np.floor(np.where(real, fits, np.inf).min(axis=1, initial=np.inf))
    bottom = np.where(np.isfinite(bottom), bottom, 0)
    ranked = np.empty(scores.shape, dtype=np.float32)
    np.put_along_axis(ranked, order, (bottom[:, None] - steps).astype(np.float32), axis=1)
    ranked[np.isneginf(scores)] = -np.inf
    ranked[row, columns[row, place]] = fits[row, place]
    return ranked

"""Ranking a whole catalogue: the harness against a plain NumPy count and faiss's exact index.

Ours is a whole evaluation: a model is asked batch by batch, its scores are checked, every relevant
item is compared with all others, and the ten best are listed. The plain count, of the same scores
in batches of the same size, compares and adds up and lists nothing; so our counting alone is timed
against it too. faiss searches the 50 nearest of the same vectors by inner product; it counts
nothing, and ours has to multiply the vectors too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.data.catalogue import Queries
from benchmark.data.evaluation_set import EvaluationSet, Relevant
from benchmark.data.events import EventLog
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.asking import Answers, Asking
from benchmark.evaluation.counting import count_scores
from benchmark.model import SCORES_AT_ONCE, Model, TrainingContext, TrainView, Validation
from perf.measurement import Measurement, import_peer

__all__ = ["against_faiss", "against_numpy", "measure", "plain_counts"]

ITEMS = 20_000
WIDTH = 64
"""Numbers in a vector."""
RETRIEVED = 50
REPEATS = 25
AGREEING = 0.999
"""Share of the listed items that must be faiss's: its products add in another order, so that a
few neighbours with scores equal to seven digits change places."""


class _Stored(Model):
    """Answers with scores that are there already; a request is known by its user."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})

    def __init__(self, scores: NDArray[np.float32]) -> None:
        super().__init__()
        self._scores = scores

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Do nothing."""

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the stored scores; users stand in order, so nothing is copied."""
        return self._scores[requests.user[0] : requests.user[0] + len(requests)]

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return nothing."""
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Do nothing."""


class _DotProduct(_Stored):
    """Scores by the inner product of a user's and an item's vector."""

    def __init__(self, users: NDArray[np.float32], items: NDArray[np.float32]) -> None:
        super().__init__(users)
        self._items = items

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the products."""
        return super().score(requests) @ self._items.T


def measure(requests: int) -> list[Measurement]:
    """Compare on so many requests; one measurement for each peer."""
    import_peer("faiss")
    return [against_numpy(requests), against_faiss(requests)]


def against_numpy(requests: int) -> Measurement:
    """Compare with a plain count of the same scores."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((requests, ITEMS), dtype=np.float32)
    scores[:, ::7] = np.round(scores[:, ::7], 1)  # so that there are ties
    target = rng.integers(0, ITEMS, requests)
    evaluation, model = _evaluation(target), _Stored(scores)
    rows, none = np.arange(requests), np.empty(0, dtype=np.int64)
    (ours_s, alone_s, peer_s), (ours, _, theirs) = _in_turns(
        lambda: _evaluated(model, evaluation),
        lambda: count_scores(scores, rows, target, none, k=0),
        lambda: _by_numpy(scores, target),
    )
    counts = ours.counts.greater, ours.counts.tied
    return Measurement(
        name="evaluate, counts",
        ours_s=ours_s,
        peer=f"numpy {version('numpy')}, compare and add",
        peer_s=peer_s,
        agree=all(bool((a == b).all()) for a, b in zip(counts, theirs, strict=True)),
        details={
            **_speeds(requests, ours_s, peer_s),
            "our_counting_alone_s": alone_s,
            "ratio_of_counting_alone": peer_s / alone_s,
        },
    )


def against_faiss(requests: int) -> Measurement:
    """Compare with the exact search of faiss over the same vectors."""
    faiss = import_peer("faiss")
    rng = np.random.default_rng(1)
    users = rng.standard_normal((requests, WIDTH), dtype=np.float32)
    items = rng.standard_normal((ITEMS, WIDTH), dtype=np.float32)
    target = rng.integers(0, ITEMS, requests)
    index = faiss.IndexFlatIP(WIDTH)
    index.add(items)
    evaluation, model = _evaluation(target), _DotProduct(users, items)
    (ours_s, peer_s), (ours, theirs) = _in_turns(
        lambda: _evaluated(model, evaluation), lambda: index.search(users, RETRIEVED)[1]
    )
    listed = float((ours.top == theirs[:, : ours.top.shape[1]]).mean())
    found = (theirs == target[:, None]).any(axis=1)
    hits = float(((ours.counts.greater < RETRIEVED) == found).mean())
    return Measurement(
        name="evaluate, dot products",
        ours_s=ours_s,
        peer=f"faiss-cpu {version('faiss-cpu')}, IndexFlatIP, best {RETRIEVED}",
        peer_s=peer_s,
        agree=min(listed, hits) >= AGREEING,
        details={
            **_speeds(requests, ours_s, peer_s),
            "vector": WIDTH,
            "peer_threads": faiss.omp_get_max_threads(),
            "same_items_in_the_best_10": listed,
            "same_hits_in_the_best_50": hits,
        },
    )


def plain_counts(
    scores: NDArray[np.float32], target: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ``greater`` and ``tied`` as one would write it down."""
    own = scores[np.arange(len(scores)), target][:, None]
    return (scores > own).sum(axis=1), (scores == own).sum(axis=1) - 1


def _by_numpy(scores: NDArray[np.float32], target: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    size = max(1, SCORES_AT_ONCE // ITEMS)
    parts = [
        plain_counts(scores[start : start + size], target[start : start + size])
        for start in range(0, len(scores), size)
    ]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _evaluated(model: Model, evaluation: EvaluationSet) -> Answers:
    asking = Asking(model, "model", evaluation, ("full",))
    for rows in asking.batches():
        asking.ask(rows)
    return asking.answers("full")


def _evaluation(target: NDArray[np.int64]) -> EvaluationSet:
    """Return a request of each of so many users without history, with one relevant item."""
    users, nothing = len(target), np.empty(0, dtype=np.int64)
    log = EventLog.from_columns(*(nothing,) * 6, users=users)
    requests = Requests.before(
        log,
        np.zeros(users, dtype=np.int64),
        task=Task.REC,
        user=np.arange(users),
        time=np.zeros(users, dtype=np.int64),
        query=np.full(users, -1),
        queries=Queries((), (), ()),
        items=ITEMS,
    )
    return EvaluationSet(requests, Relevant.of_events(np.arange(users), target), lists={})


def _in_turns(*works: Callable[[], Any]) -> tuple[list[float], list[Any]]:
    """Return the least seconds and the answer of each, after a first call that warms up.

    The least, because whatever else the machine does only ever adds to it.
    """
    answers = [work() for work in works]
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS):
        for each, work in zip(seconds, works, strict=True):
            started = time.perf_counter()
            work()
            each.append(time.perf_counter() - started)
    return [min(each) for each in seconds], answers


def _speeds(requests: int, ours_s: float, peer_s: float) -> dict[str, Any]:
    scores = requests * ITEMS
    return {
        "requests": requests,
        "items": ITEMS,
        "scores": scores,
        "our_scores_a_second": scores / ours_s,
        "peer_scores_a_second": scores / peer_s,
    }

"""A million items: the harness against faiss's exact index, and what a search that is not costs.

Ours is a whole evaluation of 10,000 requests by the full protocol: a model multiplies vectors, its
scores are checked, each relevant item is compared with all others, items that the user has seen are
left out, the ten best are listed and all metrics computed. Items come in topics, and some are
copies of others, so that there are ties.

faiss lists for each request as many items as settle every metric: those up to the largest cutoff,
and as many more as the longest history has, for it knows of no history. It counts nothing. It is
told to multiply matrices (``distance_compute_blas_threshold``), which is by far its faster way for
so many requests. Both work on the same requests in turns, so that what else the machine does meets
both.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.data.catalogue import Queries
from benchmark.data.evaluation_set import EvaluationSet, Relevant
from benchmark.data.events import EventLog
from benchmark.data.requests import PAD, Requests
from benchmark.data.terms import Task
from benchmark.evaluation.asking import TOP, Answers, Asking
from benchmark.evaluation.metrics import CUTOFFS, MAIN, compute
from benchmark.model import Model, TrainingContext, TrainView, Validation
from perf.measurement import Measurement, import_peer

__all__ = ["World", "against_exact", "approximate", "measure"]

ITEMS = 1_000_000
WIDTH = 64
TOPICS = 2_000
COPIES = 50
"""One item in so many is a copy of another."""
HISTORY = 40
SEVERAL = (0.8, 0.15, 0.05)
"""Shares of the requests that have none, one or two further relevant items, drawn anywhere."""
PARTS = 5
"""The requests are shared out among so many turns, of a thousand at least."""
AGREEING = 0.995
"""Share of relevant items that must have the same place in both: the peer's products add in another
order, so that near the thousandth place a few of a million neighbours change places."""
LISTS = 1024
"""Of items, into which the approximate index parts them."""
PROBES = (1, 4, 16, 64)
"""Of these lists, that it reads for a request."""
SEARCHED = 1_000
"""Requests that it is asked."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class World:
    """Vectors of items and users, and requests of these users.

    Attributes:
        items: ``[items, 64]``, of length 1.
        users: ``[requests, 64]``, of length 1; one relevant item is near.
        evaluation: a request of each user, who has seen some items.
    """

    items: Floats
    users: Floats
    evaluation: EvaluationSet

    @classmethod
    def drawn(cls, requests: int) -> World:
        """Draw a world, always the same."""
        rng = np.random.default_rng(0)
        topics = rng.standard_normal((TOPICS, WIDTH), dtype=np.float32)
        items = rng.standard_normal((ITEMS, WIDTH), dtype=np.float32)
        items += topics[rng.integers(0, TOPICS, ITEMS)]
        copies = rng.choice(ITEMS, ITEMS // COPIES, replace=False)
        items[copies] = items[rng.integers(0, ITEMS, len(copies))]
        items /= np.linalg.norm(items, axis=1, keepdims=True)
        wanted = rng.integers(0, ITEMS, requests)
        wanted[::10] = copies[rng.integers(0, len(copies), len(wanted[::10]))]
        noise = rng.standard_normal((requests, WIDTH), dtype=np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        users = items[wanted] + rng.uniform(0.5, 2.5, (requests, 1)).astype(np.float32) * noise
        users /= np.linalg.norm(users, axis=1, keepdims=True)
        return cls(items, users, _evaluation(wanted, rng))

    def parts(self, requests: int) -> Iterator[tuple[slice, EvaluationSet]]:
        """Yield the requests in parts, up to the number given."""
        parts = max(1, min(PARTS, requests // 1000))
        for rows in np.array_split(np.arange(requests), parts):
            part = slice(int(rows[0]), int(rows[-1]) + 1)
            yield part, self.evaluation.at(part)


def _evaluation(wanted: NDArray[np.int64], rng: np.random.Generator) -> EvaluationSet:
    """Return a request of each user, with one to three relevant items that none has seen."""
    users = len(wanted)
    owner = np.repeat(np.arange(users), rng.integers(1, HISTORY + 1, users))
    log = EventLog.from_columns(
        user=owner,
        item=rng.integers(0, ITEMS, len(owner)),
        time=np.zeros(len(owner), dtype=np.int64),
        kind=np.zeros(len(owner), dtype=np.uint8),
        query=np.full(len(owner), -1),
        session=np.arange(len(owner)),
        users=users,
    )
    requests = Requests.before(
        log,
        log.offsets[1:],
        task=Task.REC,
        user=np.arange(users),
        time=np.ones(users, dtype=np.int64),
        query=np.full(users, -1),
        queries=Queries((), (), ()),
        items=ITEMS,
        exclude_seen=True,
    )
    others = np.repeat(np.arange(users), rng.choice(3, users, p=SEVERAL))
    relevant = Relevant.of_events(
        np.concatenate([np.arange(users), others]),
        np.concatenate([wanted, rng.integers(0, ITEMS, len(others))]),
    )
    unseen = ~requests.holds(relevant.request, relevant.item)
    asked, number = np.unique(relevant.request[unseen], return_inverse=True)
    kept = Relevant(number, relevant.item[unseen], relevant.gain[unseen])
    return EvaluationSet(requests[asked], kept, lists={})


class _Vectors(Model):
    """Scores by the inner product of a user's vector and each item's, as ``sasrec`` does."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})

    def __init__(self, world: World) -> None:
        super().__init__()
        self._users, self._items = world.users, world.items

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Do nothing."""

    def score(self, requests: Requests) -> Floats:
        """Return the products."""
        scores: Floats = self.request_vectors(requests) @ self._items.T
        return scores

    def request_vectors(self, requests: Requests) -> Floats:
        """Return the users' vectors."""
        return self._users[requests.user]

    def ranked_vectors(self, task: Task) -> Floats:
        """Return the items' vectors."""
        return self._items

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return nothing."""
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Do nothing."""


class _Searching(_Vectors):
    """Retrieves by an index of faiss; what a user has seen is asked for too, and left out."""

    scores_catalogue = False

    def __init__(self, world: World, index: Any) -> None:
        super().__init__(world)
        self._index = index

    def retrieve(self, requests: Requests, k: int) -> tuple[NDArray[np.int32], Floats]:
        """Return what the index lists."""
        scores, items = self._index.search(self._users[requests.user], k + HISTORY)
        unseen = (items != PAD) & ~_seen(requests, items)
        order = np.argsort(~unseen, axis=1, kind="stable")[:, :k]
        real = np.take_along_axis(unseen, order, axis=1)
        items = np.where(real, np.take_along_axis(items, order, axis=1), PAD)
        scores = np.where(real, np.take_along_axis(scores, order, axis=1), -np.inf)
        return items.astype(np.int32), scores.astype(np.float32)


@dataclass
class _Timed:
    """Seconds of the clock and of the processor, summed over the turns of one side."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    answers: list[Any] = field(default_factory=list)

    def take(self, work: Callable[[], Any]) -> None:
        """Do the work."""
        clock, cpu = time.perf_counter(), time.process_time()
        self.answers.append(work())
        self.seconds += time.perf_counter() - clock
        self.cpu_seconds += time.process_time() - cpu


def measure(requests: int) -> list[Measurement]:
    """Compare on so many requests; the exact search first, then the approximate one."""
    import_peer("faiss")
    world = World.drawn(requests)
    return [against_exact(world), approximate(world)]


def against_exact(world: World) -> Measurement:
    """Compare the whole evaluation with the peer's exact search."""
    faiss = import_peer("faiss")
    requests, k = len(world.evaluation), max(CUTOFFS) + HISTORY
    model, index = _Vectors(world), faiss.IndexFlatIP(WIDTH)
    ours, peer = _Timed(), _Timed()
    for part, evaluation in world.parts(requests):
        ours.take(partial(_evaluated, model, evaluation))
        if part.start == 0:
            memory = _peak_mib()  # of all that ours needs, as all parts are alike
            _prefer_products(faiss)
            index.add(world.items)
        users = world.users[evaluation.requests.user]
        peer.take(partial(index.search, users, k))
    same, listed = _same_places(
        world.evaluation, ours.answers, np.concatenate([items for _, items in peer.answers])
    )
    tied = np.concatenate([answer.counts.tied for answer in ours.answers]) > 0
    return Measurement(
        name=f"evaluate, {ITEMS:,} items",
        ours_s=ours.seconds,
        peer=f"faiss-cpu {version('faiss-cpu')}, IndexFlatIP, best {k}",
        peer_s=peer.seconds,
        agree=same >= AGREEING,
        details={
            "requests": requests,
            "vector": WIDTH,
            "times_the_peer's_time": ours.seconds / peer.seconds,
            "times_the_peer's_cpu_time": ours.cpu_seconds / peer.cpu_seconds,
            "our_cpu_s": ours.cpu_seconds,
            "peer_cpu_s": peer.cpu_seconds,
            "peer_threads": faiss.omp_get_max_threads(),
            "our_peak_mib": memory,
            "peak_mib_with_the_peer": _peak_mib(),
            "relevant_items_at_the_same_place": same,
            "relevant_items_that_the_peer_lists": listed,
            "relevant_items_with_ties": float(tied.mean()),
        },
    )


def approximate(world: World) -> Measurement:
    """Compare an inverted file, asked through ``retrieve``, with the exact ranking."""
    faiss = import_peer("faiss")
    requests = min(SEARCHED, len(world.evaluation))
    evaluation = world.evaluation.at(slice(0, requests))
    exact = _Timed()
    exact.take(lambda: _evaluated(_Vectors(world), evaluation))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(WIDTH), WIDTH, LISTS, faiss.METRIC_INNER_PRODUCT)
    built = _Timed()
    built.take(lambda: (index.train(world.items[: 64 * LISTS]), index.add(world.items)))
    right = exact.answers[0]
    found: dict[str, Any] = {}
    for probes in PROBES:
        index.nprobe = probes
        searched = _Timed()
        searched.take(lambda: _evaluated(_Searching(world, index), evaluation))
        answer = searched.answers[0]
        found[f"{probes} of {LISTS} lists"] = {
            "seconds": searched.seconds,
            "cpu_s": searched.cpu_seconds,
            "times_as_fast": exact.cpu_seconds / searched.cpu_seconds,
            f"recall@{TOP}": _recall(answer.top, right.top),
            MAIN: _mean(answer),
        }
    few = world.evaluation.at(slice(0, min(50, requests)))
    index.nprobe = LISTS
    everything = _evaluated(_Searching(world, index), few).top
    return Measurement(
        name=f"evaluate, {ITEMS:,} items, approximate search",
        ours_s=searched.seconds,
        peer="all scores, by the harness",
        peer_s=exact.seconds,
        agree=_recall(everything, right.top[: len(few)]) >= AGREEING,
        details={
            "index": f"faiss-cpu {version('faiss-cpu')}, IndexIVFFlat of {LISTS} lists",
            "requests": requests,
            "building_cpu_s": built.cpu_seconds,
            "exact_cpu_s": exact.cpu_seconds,
            f"exact_{MAIN}": _mean(right),
            **found,
        },
    )


def _evaluated(model: Model, evaluation: EvaluationSet) -> Answers:
    asking = Asking(model, "model", evaluation, ("full",))
    for rows in asking.batches():
        asking.ask(rows)
    answers = asking.answers("full")
    compute(answers.counts)
    return answers


def _prefer_products(faiss: Any) -> None:
    """Let the peer multiply matrices, and by as many threads as ours."""
    faiss.cvar.distance_compute_blas_threshold = 20
    faiss.omp_set_num_threads(torch.get_num_threads())


def _seen(requests: Requests, items: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return which of ``items``, ``[requests, n]``, stand in the histories."""
    row = np.repeat(np.arange(len(requests)), items.shape[1])
    return requests.holds(row, items.ravel()).reshape(items.shape)


def _same_places(
    evaluation: EvaluationSet, answers: list[Answers], listed: NDArray[np.int64]
) -> tuple[float, float]:
    """Return the share of relevant items whose counts hold their place in the peer's lists.

    Of one that is not listed so many others must stand above it or level. The second is the share
    that is listed.
    """
    unseen = ~_seen(evaluation.requests, listed)
    places = np.cumsum(unseen, axis=1) - 1
    request, item = evaluation.relevant.request, evaluation.relevant.item
    hit = (listed[request] == item[:, None]) & unseen[request]
    found = hit.any(axis=1)
    place = np.where(found, places[request, hit.argmax(axis=1)], unseen.sum(axis=1)[request])
    greater, tied = (
        np.concatenate([getattr(answer.counts, name) for answer in answers])
        for name in ("greater", "tied")
    )
    same = (place <= greater + tied) & ((greater <= place) | ~found)
    return float(same.mean()), float(found.mean())


def _recall(top: NDArray[np.int32], exact: NDArray[np.int32]) -> float:
    """Return the share of the exact lists that stands in the others."""
    return float((exact[:, :, None] == top[:, None, :]).any(axis=2).mean())


def _mean(answers: Answers) -> float:
    return float(compute(answers.counts, (MAIN,))[MAIN].mean())


def _peak_mib() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

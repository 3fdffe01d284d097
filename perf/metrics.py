"""Metrics from scores: the harness against ranx and pytrec_eval.

All get the same requests, each with one relevant item among candidates without ties. The peers
want nested dictionaries, which do not fit into memory for a million requests, so everything runs
batch by batch and times are summed. Only their computing counts as the peers' time: building the
dictionaries and the peers' own structures (for ranx also sorting, which the harness does without)
is reported apart, and compiling ranx is left out by a warm-up.
"""

from __future__ import annotations

import time
import tracemalloc
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counting import count_scores
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import compute
from perf.measurement import Measurement, import_peer

__all__ = ["measure"]

CANDIDATES = 100
NAMES = ("ndcg@10", "hr@10", "mrr@10")
AT_ONCE = 10_000
"""Requests that are made, and given to the peers, at a time."""
COUNTED_AT_ONCE = 1024
"""Requests that the harness counts at a time, as in an evaluation."""
TOLERANCE = 1e-9

Values = dict[str, NDArray[np.float64]]
Nested = dict[str, dict[str, Any]]


class _Peer(Protocol):
    title: str
    threads: int

    def convert(self, qrels: Nested, run: Nested) -> Any:
        """Bring one batch into the peer's own form."""
        ...

    def compute(self, converted: Any) -> Values:
        """Return the metrics by request."""
        ...


class _Ranx:
    def __init__(self) -> None:
        self._ranx = import_peer("ranx")
        self.title = f"ranx {version('ranx')}"
        self.threads = int(import_peer("numba").get_num_threads())

    def convert(self, qrels: Nested, run: Nested) -> Any:
        made = self._ranx.Qrels(qrels), self._ranx.Run(run)
        return tuple(each.to_typed_list() for each in made)

    def compute(self, converted: Any) -> Values:
        theirs = ["ndcg@10", "hit_rate@10", "mrr@10"]
        found = self._ranx.evaluate(*converted, theirs, return_mean=False)
        return {ours: found[name] for ours, name in zip(NAMES, theirs, strict=True)}


class _PytrecEval:
    def __init__(self) -> None:
        self._peer = import_peer("pytrec_eval")
        self.title = f"pytrec_eval-terrier {version('pytrec-eval-terrier')}"
        self.threads = 1

    def convert(self, qrels: Nested, run: Nested) -> Any:
        wanted = {"ndcg_cut.10", "success.10", "recip_rank"}
        return self._peer.RelevanceEvaluator(qrels, wanted), run

    def compute(self, converted: Any) -> Values:
        evaluator, run = converted
        found = list(evaluator.evaluate(run).values())
        ndcg, hit, reciprocal = (
            np.array([each[name] for each in found])
            for name in ("ndcg_cut_10", "success_10", "recip_rank")
        )
        # Its reciprocal rank knows no cutoff.
        return dict(zip(NAMES, (ndcg, hit, np.where(hit > 0, reciprocal, 0.0)), strict=True))


@dataclass
class _Tally:
    """Seconds that a peer took so far, and how far its answers were from ours."""

    peer: _Peer
    conversion_s: float = 0.0
    computing_s: float = 0.0
    largest_difference: float = 0.0

    def add(self, qrels: Nested, run: Nested, dictionaries_s: float, ours: Values) -> None:
        started = time.perf_counter()
        converted = self.peer.convert(qrels, run)
        ready = time.perf_counter()
        found = self.peer.compute(converted)
        self.computing_s += time.perf_counter() - ready
        self.conversion_s += ready - started + dictionaries_s
        differences = [float(np.abs(found[name] - ours[name]).max()) for name in NAMES]
        self.largest_difference = max(self.largest_difference, *differences)


def measure(requests: int) -> list[Measurement]:
    """Run the comparison on so many requests; one measurement for each peer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ranx casts hashes of ids, and numba tells
        tallies = [_Tally(_Ranx()), _Tally(_PytrecEval())]
        scores, target = next(_batches(100))
        for tally in tallies:
            tally.peer.compute(tally.peer.convert(*_nested(scores, target)))
        ours_s = 0.0
        for scores, target in _batches(requests):
            started = time.perf_counter()
            ours = _by_harness(scores, target)
            ended = time.perf_counter()
            qrels, run = _nested(scores, target)
            dictionaries_s = time.perf_counter() - ended
            ours_s += ended - started
            for tally in tallies:
                tally.add(qrels, run, dictionaries_s, ours)
    memory = _peak_mib()
    return [_measurement(tally, requests, ours_s, memory) for tally in tallies]


def _measurement(tally: _Tally, requests: int, ours_s: float, memory: float) -> Measurement:
    return Measurement(
        name="metrics",
        ours_s=ours_s,
        peer=tally.peer.title,
        peer_s=tally.computing_s,
        agree=tally.largest_difference <= TOLERANCE,
        details={
            "requests": requests,
            "candidates": CANDIDATES,
            "peer_threads": tally.peer.threads,
            "peer_conversion_s": tally.conversion_s,
            "ratio_with_conversion": (tally.conversion_s + tally.computing_s) / ours_s,
            "largest_difference": tally.largest_difference,
            "our_peak_mib_beside_the_input": memory,
            "note": f"peers are fed {AT_ONCE} requests at a time, times are summed",
        },
    )


def _batches(requests: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield scores ``[requests, candidates]`` without ties and the relevant columns."""
    rng = np.random.default_rng(0)
    for start in range(0, requests, AT_ONCE):
        size = min(AT_ONCE, requests - start)
        steps = np.linspace(0, 1, CANDIDATES, dtype=np.float32)
        scores = rng.permuted(np.tile(steps, (size, 1)), axis=1)
        yield scores, rng.integers(0, CANDIDATES, size)


def _by_harness(scores: NDArray[np.float32], target: NDArray[np.int64]) -> Values:
    """Count in small batches and compute the metrics of all, as an evaluation does."""
    none = np.empty(0, dtype=np.int64)
    places = [
        count_scores(each, np.arange(len(each)), target[start : start + len(each)], none, k=0)
        for start in range(0, len(scores), COUNTED_AT_ONCE)
        for each in (scores[start : start + COUNTED_AT_ONCE],)
    ]
    counts = Counts(
        request=np.arange(len(scores)),
        gain=np.ones(len(scores)),
        greater=np.concatenate([part.greater for part in places]),
        tied=np.concatenate([part.tied for part in places]),
        candidates=np.concatenate([part.candidates for part in places]),
    )
    return compute(counts, NAMES)


def _nested(scores: NDArray[np.float32], target: NDArray[np.int64]) -> tuple[Nested, Nested]:
    # ranx sorts requests by id, so ids are as long as each other.
    requests = [f"q{number:07d}" for number in range(len(scores))]
    items = [f"d{number:02d}" for number in range(CANDIDATES)]
    relevant = [{items[column]: 1} for column in target.tolist()]
    rows = [dict(zip(items, row, strict=True)) for row in scores.tolist()]
    return dict(zip(requests, relevant, strict=True)), dict(zip(requests, rows, strict=True))


def _peak_mib() -> float:
    """Return what the harness allocates at most for one batch, the batch itself not counted."""
    scores, target = next(_batches(AT_ONCE))
    tracemalloc.start()
    try:
        _by_harness(scores, target)
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()

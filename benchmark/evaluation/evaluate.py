"""Asking a model all requests of a data set, and counting the ranks."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset, EvaluationSet, Part
from benchmark.data.requests import PAD, Requests, Task
from benchmark.errors import BenchmarkError
from benchmark.evaluation.counts import Counts, ranks_from_scores, ranks_from_top
from benchmark.evaluation.metrics import MAIN, compute
from benchmark.model import Model, top_k
from benchmark.run_log import RunLog

__all__ = ["PROTOCOLS", "HarnessValidation", "Protocol", "TaskOutcome", "evaluate"]

Protocol = Literal["full", "sampled"]
PROTOCOLS: tuple[Protocol, ...] = ("full", "sampled")
RETRIEVED = 50
"""Items asked for where a model retrieves; more than the largest cutoff of a metric."""
SCORES_AT_ONCE = 2**22
"""Upper bound of the scores that are held at a time."""


@dataclass(frozen=True)
class TaskOutcome:
    """How a model answered the requests of one task under one protocol.

    Attributes:
        task: the task.
        protocol: the protocol.
        evaluation: the requests and their relevant items.
        ranks: in the order of the requests.
        seconds: wall time of the model's answers; where both protocols came from one pass, the
            whole of it in both.
        coverage: share of the catalogue that stands in any top 10 (full protocol, else ``None``).
        popularity: mean number of training events of the items in the top 10 (likewise).
    """

    task: Task
    protocol: Protocol
    evaluation: EvaluationSet
    ranks: Counts
    seconds: float
    coverage: float | None
    popularity: float | None


def evaluate(
    model: Model,
    name: str,
    dataset: Dataset,
    part: Part,
    tasks: tuple[Task, ...],
    protocols: tuple[Protocol, ...],
    run_log: RunLog,
) -> list[TaskOutcome]:
    """Ask ``model`` (called ``name`` in errors) all requests of the part.

    A task that the data set has no requests for is left out.
    """
    outcomes: list[TaskOutcome] = []
    for task in tasks:
        evaluation = dataset.evaluation.get((part, task))
        if evaluation is None:
            continue
        with run_log.progress(f"evaluating {task}", len(evaluation.targets)) as bar:
            asked = _Asked(model, name, evaluation, protocols)
            for batch in asked.batches():
                asked.answer(batch)
                bar.advance(batch.stop - batch.start)
        outcomes += asked.outcomes(task, np.bincount(dataset.train.log.item, minlength=asked.items))
    return outcomes


class _Asked:
    """Collects the answers to one task's requests."""

    def __init__(
        self,
        model: Model,
        name: str,
        evaluation: EvaluationSet,
        protocols: tuple[Protocol, ...],
    ) -> None:
        self.model, self.name, self.evaluation = model, name, evaluation
        self.protocols = protocols
        self.items = evaluation.requests.items
        self._ranks: dict[Protocol, list[Counts]] = {p: [] for p in protocols}
        self._seconds = dict.fromkeys(protocols, 0.0)
        self._tops: list[NDArray[np.int32]] = []

    def batches(self) -> Iterator[slice]:
        size = max(1, min(1024, SCORES_AT_ONCE // self.items))
        for start in range(0, len(self.evaluation.targets), size):
            yield slice(start, min(start + size, len(self.evaluation.targets)))

    def answer(self, rows: slice) -> None:
        if self.model.scores_catalogue:
            self._from_catalogue(rows)
            return
        if "full" in self.protocols:
            self._from_retrieval(rows)
        if "sampled" in self.protocols:
            self._from_candidates(rows)

    def _from_catalogue(self, rows: slice) -> None:
        """Take both protocols from one pass over the catalogue."""
        requests, target = self.evaluation.requests[rows], self.evaluation.targets[rows]
        started = time.perf_counter()
        scores = np.asarray(self.model.score(requests))
        spent = time.perf_counter() - started
        self._check_shape(scores, (len(requests), self.items))
        for protocol in self.protocols:
            self._seconds[protocol] += spent
        if "full" in self.protocols:
            seen = seen_mask(requests) if requests.exclude_seen else None
            self._ranks["full"].append(ranks_from_scores(scores, target, seen, self.name))
            listed = scores if seen is None else np.where(seen, -np.inf, scores)
            self._tops.append(top_k(listed.astype(np.float32), 10)[0])
        if "sampled" in self.protocols:
            lists = self.evaluation.sampled[rows]
            chosen = np.take_along_axis(scores, lists, axis=1)
            self._add_sampled(chosen, lists, target)

    def _from_retrieval(self, rows: slice) -> None:
        requests, target = self.evaluation.requests[rows], self.evaluation.targets[rows]
        started = time.perf_counter()
        items, scores = self.model.retrieve(requests, RETRIEVED)
        self._seconds["full"] += time.perf_counter() - started
        self._check_shape(items, (len(requests), RETRIEVED))
        if items.min(initial=0) < PAD or items.max(initial=0) >= self.items:
            raise BenchmarkError(f"{self.name} retrieved an item that is not in the catalogue")
        size = np.full(len(requests), self.items)
        if requests.exclude_seen:
            seen = seen_mask(requests)
            seen[np.arange(len(requests)), target] = False
            real = items != PAD
            if (np.take_along_axis(seen, np.where(real, items, 0), axis=1) & real).any():
                raise BenchmarkError(f"{self.name} retrieved an item that the user has seen")
            size = size - seen.sum(axis=1)
        self._ranks["full"].append(ranks_from_top(items, scores, target, size, self.name))
        self._tops.append(items[:, :10])

    def _from_candidates(self, rows: slice) -> None:
        lists = self.evaluation.sampled[rows]
        asked = replace(self.evaluation.requests[rows], candidates=lists)
        started = time.perf_counter()
        scores = np.asarray(self.model.score(asked))
        self._seconds["sampled"] += time.perf_counter() - started
        self._check_shape(scores, lists.shape)
        self._add_sampled(scores, lists, self.evaluation.targets[rows])

    def _add_sampled(
        self, scores: NDArray[np.float32], lists: NDArray[np.int32], target: NDArray[np.int32]
    ) -> None:
        # A list shorter than the others is filled up with PAD.
        column = (lists == target[:, None]).argmax(axis=1)
        self._ranks["sampled"].append(ranks_from_scores(scores, column, lists == PAD, self.name))

    def _check_shape(self, answer: NDArray, wanted: tuple[int, ...]) -> None:
        if answer.shape != wanted:
            raise BenchmarkError(
                f"{self.name} answered with shape {answer.shape} where {wanted} was asked"
            )

    def outcomes(self, task: Task, counts: NDArray[np.int64]) -> list[TaskOutcome]:
        found = []
        for protocol in self.protocols:
            parts = self._ranks[protocol]
            ranks = Counts(
                *(np.concatenate([getattr(p, n) for p in parts]) for n in Counts.__annotations__)
            )
            coverage = popularity = None
            if protocol == "full":
                top = np.concatenate(self._tops)
                shown = top[top != PAD]
                coverage = len(np.unique(shown)) / self.items
                popularity = float(counts[shown].mean()) if len(shown) else 0.0
            found.append(
                TaskOutcome(
                    task,
                    protocol,
                    self.evaluation,
                    ranks,
                    self._seconds[protocol],
                    coverage,
                    popularity,
                )
            )
        return found


def seen_mask(requests: Requests) -> NDArray[np.bool_]:
    """Return which items stand in each request's history, ``[requests, items]``."""
    offsets, seen = requests.seen()
    mask = np.zeros((len(requests), requests.items), dtype=bool)
    mask[np.repeat(np.arange(len(requests)), np.diff(offsets)), seen] = True
    return mask


@dataclass(frozen=True)
class HarnessValidation:
    """Implements :class:`benchmark.model.Validation` with the harness's own metrics."""

    dataset: Dataset
    tasks: tuple[Task, ...]

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        """Return NDCG@10 over the full catalogue by task that the model serves."""
        measured = {}
        for task in self.tasks:
            whole = self.dataset.evaluation.get(("validation", task))
            if whole is None or task not in model.tasks:
                continue
            # The order hangs on the data set, not on the run: all models see the same requests.
            rng = np.random.default_rng(zlib.crc32(f"{self.dataset.digest}/{task}".encode()))
            rows = np.sort(rng.permutation(len(whole.targets))[: limit or len(whole.targets)])
            part = EvaluationSet(whole.requests[rows], whole.targets[rows], whole.sampled[rows])
            asked = _Asked(model, type(model).__name__, part, ("full",))
            for batch in asked.batches():
                asked.answer(batch)
            counts = np.zeros(asked.items, dtype=np.int64)
            ranks = asked.outcomes(task, counts)[0].ranks
            measured[str(task)] = float(compute(ranks.greater, ranks.tied, (MAIN,))[MAIN].mean())
        return measured

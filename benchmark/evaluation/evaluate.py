"""Asking a model all requests of a data set, and counting where the relevant items stand."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset, Part
from benchmark.data.evaluation_set import PROTOCOLS, EvaluationSet, Protocol
from benchmark.data.requests import Task
from benchmark.errors import DivergedError
from benchmark.evaluation.asking import TOP, Answers, Asking
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import MAIN, compute
from benchmark.evaluation.observer import Observer
from benchmark.failures import owning
from benchmark.model import Model
from benchmark.processes import ALONE, Processes
from benchmark.run_log import RunLog

__all__ = [
    "PROTOCOLS",
    "TOP",
    "HarnessValidation",
    "Protocol",
    "TaskOutcome",
    "evaluate",
]


@dataclass(frozen=True)
class TaskOutcome:
    """How a model answered the requests of one task under one protocol.

    Attributes:
        task: the task.
        protocol: the protocol.
        requests: int64 ``[requests]``, the numbers of the requests that were asked, ascending.
        counts: a row for each relevant item of these, in their order.
        seconds: wall time of the model's answers; where several protocols came from one pass, the
            whole of it in each.
        top: int32 ``[requests, 10]``, the best candidates, best first, ``PAD`` where nothing.
    """

    task: Task
    protocol: Protocol
    requests: NDArray[np.int64]
    counts: Counts
    seconds: float
    top: NDArray[np.int32]


def evaluate(
    model: Model,
    name: str,
    dataset: Dataset,
    part: Part,
    tasks: Sequence[Task],
    protocols: Sequence[Protocol],
    run_log: RunLog,
    observer: Observer | None = None,
    processes: Processes = ALONE,
) -> list[TaskOutcome]:
    """Ask ``model`` (called ``name`` in errors) all requests of the part.

    A task that the data set has no requests for is left out, and so is a protocol that it has no
    lists for. Of several processes each asks its own model a part of the requests, each request
    once, and all get all outcomes; an observer hears of this process's part only.

    Raises:
        DivergedError: a score is not finite.
        BenchmarkError: an answer breaks another rule of :class:`benchmark.model.Model`.
    """
    outcomes: list[TaskOutcome] = []
    for task in tasks:
        evaluation = dataset.evaluation.get((part, task))
        if evaluation is None:
            continue
        possible = [protocol for protocol in protocols if protocol in evaluation.protocols]
        if not possible:
            continue
        own = _part(evaluation, processes)
        with run_log.progress(f"evaluating {task}", len(own)) as bar:
            asking = Asking(model, name, own, possible, observer)
            for rows in asking.batches():
                try:
                    asking.ask(rows)
                except DivergedError as error:
                    raise _with_training(error, model, run_log) from error
                bar.advance(rows.stop - rows.start)
        for protocol in possible:
            answers = Answers.joined(processes.gather(asking.answers(protocol)))
            asked = evaluation.asked(protocol)
            outcomes.append(
                TaskOutcome(task, protocol, asked, answers.counts, answers.seconds, answers.top)
            )
    return outcomes


def _part(evaluation: EvaluationSet, processes: Processes) -> EvaluationSet:
    """Return the requests that this process asks."""
    return evaluation if processes.count == 1 else evaluation.at(processes.part(len(evaluation)))


def _with_training(error: DivergedError, model: Model, run_log: RunLog) -> DivergedError:
    """Return the error with what the run log and the settings say of the training behind it."""
    rate = getattr(model.settings, "learning_rate", None)
    if rate is None or not run_log.curve:
        return error
    last = run_log.curve[-1]
    told = ", ".join(f"{name} {last[name]:.4g}" for name in ("step", "loss") if name in last)
    return DivergedError(
        f"{error}: training diverged ({told}) at a learning rate of {rate:.4g};"
        " lower the learning rate (--set learning_rate=…)"
    )


@dataclass(frozen=True)
class HarnessValidation:
    """Implements :class:`benchmark.model.Validation` with the harness's own metrics.

    Attributes:
        dataset: has the requests.
        tasks: that the run asks for.
        processes: share the requests; all of them measure at the same time, and get the same.
    """

    dataset: Dataset
    tasks: tuple[Task, ...]
    processes: Processes = ALONE

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        """Return NDCG@10 by task that the model serves.

        It is taken over the full catalogue; where the data set leaves that out, over the lists that
        it has, given ones first.

        Raises:
            DivergedError: a score is not finite.
            BenchmarkError: another fault of the model's answers, or of the harness.
        """
        with owning():  # a model calls it
            return {
                str(task): self._measured(model, task, limit)
                for task in self.tasks
                if task in model.tasks and ("validation", task) in self.dataset.evaluation
            }

    def _measured(self, model: Model, task: Task, limit: int | None) -> float:
        whole = self.dataset.evaluation["validation", task]
        # The order hangs on the data set, not on the run: all models see the same requests.
        rng = np.random.default_rng(zlib.crc32(f"{self.dataset.digest}/{task}".encode()))
        protocol: Protocol = "full"
        if not whole.full:
            protocol = "given" if "given" in whole.protocols else "sampled"
        every = whole.asked(protocol)
        rows = every[np.sort(rng.permutation(len(every))[: limit or len(every)])]
        lists = {name: each for name, each in whole.lists.items() if name == protocol}
        own = rows[self.processes.part(len(rows))]
        part = replace(whole, lists=lists).at(own)
        asking = Asking(model, type(model).__name__, part, (protocol,))
        for batch in asking.batches():
            asking.ask(batch)
        counts = Answers.joined(self.processes.gather(asking.answers(protocol))).counts
        return float(compute(counts, (MAIN,))[MAIN].mean())

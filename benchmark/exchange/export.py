"""Export: a stored run is asked again, and its answers are written down as TREC files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset
from benchmark.data.evaluation_set import Protocol
from benchmark.data.requests import Requests, Task
from benchmark.errors import BenchmarkError, InputError
from benchmark.evaluation.evaluate import TaskOutcome, evaluate
from benchmark.exchange.trec_write import (
    item_ids,
    request_ids,
    write_answers,
    write_qrels,
    write_requests,
)
from benchmark.model import Model
from benchmark.names import below
from benchmark.plain_text import plain
from benchmark.registry import find
from benchmark.results.record import RunRecord
from benchmark.run_log import RunLog
from benchmark.subnormals import subnormals_flushed
from benchmark.target import new_folder

__all__ = ["answers_of", "export_run", "stored_model", "using_weights"]

_LONGEST_REASON = 300
"""Characters of what a model says of weights that do not fit it; torch names every single one."""


def stored_model(run: RunRecord) -> Model:
    """Return the model of a run with its weights.

    Raises:
        InputError: the run has none, or its model is not installed.
        BenchmarkError: this version of the model cannot read them.
    """
    if not (run.folder / "model.safetensors").is_file():
        raise InputError(f"{run.folder}: holds no weights, so its model cannot be asked again")
    kind = find(run.info["model"]).load()
    with using_weights(run):
        return kind.load(run.folder)


@contextmanager
def using_weights(run: RunRecord, *passed: type[Exception]) -> Iterator[None]:
    """Name the run where its weights, once read, are found to be of another form.

    Args:
        run: whose weights are read or used inside.
        passed: what has other reasons, and goes on as it is.

    Raises:
        BenchmarkError: whatever else its model raises.
    """
    try:
        with subnormals_flushed():
            yield
    except passed:
        raise
    except Exception as error:
        kind = "" if isinstance(error, BenchmarkError) else f"{type(error).__name__}: "
        reason = plain(" ".join(f"{kind}{error}".split()), _LONGEST_REASON)
        raise BenchmarkError(f"{run.folder}: its weights cannot be used: {reason}") from error


def answers_of(
    run: RunRecord, model: Model, request: Requests, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return what the model of a run gives to a request, best first: items and scores, ``[k]``.

    Raises:
        BenchmarkError: its weights give no such answer.
    """
    with using_weights(run):
        items, scores = model.retrieve(request, k)
        if items.shape != (1, k) or scores.shape != (1, k):
            raise BenchmarkError(f"{items.shape} items and {scores.shape} scores for {k} places")
        real = items >= 0
        if not (items < request.items).all() or not np.isfinite(scores[real]).all():
            raise BenchmarkError("an item or a score is impossible")
        return items[0], scores[0]


def export_run(
    run: RunRecord,
    dataset: Dataset,
    model: Model,
    out: Path,
    depth: int,
    notify: Callable[[str], object] | None = None,
) -> list[str]:
    """Write ``qrels``, ``requests`` and ``run`` files and return their names.

    Args:
        run: the stored run.
        dataset: what it was asked about.
        model: the run's own, see :func:`stored_model`.
        out: a folder that does not exist yet, or is empty; it is written whole or not at all.
        depth: items listed of each request under the full protocol; all candidates are listed
            under the others. Candidates that were never produced are not listed.
        notify: is called with each line worth telling the user.

    Raises:
        InputError: ``out`` cannot be written to, or the data's grades fit into no TREC file.
        BenchmarkError: the model now answers otherwise than the record says.
    """
    ids, stored, name = item_ids(dataset.items.ids), run.requests(), run.info["model"]
    with new_folder("--out", out) as folder:
        for text, means in run.info["metrics"].items():
            task = Task(text)
            _write_asked(folder, dataset, task, means, ids, notify)
            with ExitStack() as opened:
                streams: dict[Protocol, BinaryIO] = {
                    protocol: opened.enter_context(
                        below(folder, f"run.{task}.{protocol}.txt").open("wb")
                    )
                    for protocol in means
                }
                depths = {p: depth if p == "full" else len(dataset.items) for p in streams}
                writer = _Writer(task, ids, name, streams, depths)
                with using_weights(run, OSError):
                    outcomes = evaluate(
                        model, name, dataset, "test", (task,), tuple(streams), RunLog(), writer
                    )
                for outcome in outcomes:
                    _check(run, stored, outcome)
        return sorted(file.name for file in folder.iterdir())


def _write_asked(
    folder: Path,
    dataset: Dataset,
    task: Task,
    protocols: Iterable[Protocol],
    ids: pa.Array,
    notify: Callable[[str], object] | None,
) -> None:
    """Write what is asked of one task, and what is relevant."""
    evaluation = dataset.evaluation["test", task]
    with (folder / f"qrels.{task}.txt").open("wb") as stream:
        factor = write_qrels(stream, evaluation, ids)
    if factor > 1 and notify is not None:
        notify(
            f"qrels.{task}.txt: grades are written {factor} times as large, as TREC files hold"
            " whole numbers only; metrics with linear gain are the same"
        )
    with (folder / f"requests.{task}.tsv").open("wb") as stream:
        write_requests(stream, evaluation.requests, dataset.users, ids)
    for protocol in protocols:
        left = len(evaluation) - len(evaluation.asked(protocol))
        if left and notify is not None:
            notify(
                f"run.{task}.{protocol}.txt: {left} of {len(evaluation)} requests have no list and"
                " are not asked; leave them out of the mean, as trec_eval does without -c"
            )


@dataclass(frozen=True)
class _Writer:
    """Writes down what a model answers; implements :class:`benchmark.evaluation.observer.Observer`.

    Attributes:
        task: of the requests.
        ids: encoded ids of the catalogue.
        tag: the system's name.
        streams: takes the lines, by protocol.
        depths: items to write of each request, by protocol.
    """

    task: Task
    ids: pa.Array
    tag: str
    streams: Mapping[Protocol, BinaryIO]
    depths: Mapping[Protocol, int]

    def hear(
        self,
        protocol: Protocol,
        first_request: int,
        items: NDArray[np.int32],
        scores: NDArray[np.float32],
    ) -> None:
        """Write the answers to consecutive requests."""
        numbers = np.arange(first_request, first_request + len(items))
        requests = request_ids(self.task, numbers)
        write_answers(self.streams[protocol], requests, self.ids, items, scores, self.tag)


def _check(run: RunRecord, stored: pd.DataFrame, outcome: TaskOutcome) -> None:
    rows = (stored["task"] == str(outcome.task)) & (stored["protocol"] == outcome.protocol)
    before = stored[rows]
    names = ("gain", "greater", "tied", "candidates")
    now = {name: getattr(outcome.counts, name) for name in names}
    now["request"] = outcome.requests[outcome.counts.request]
    differ = np.zeros(len(before), dtype=bool)
    for name, column in now.items():
        differ |= before[name].to_numpy() != column
    if differ.any():
        count, size = before["request"][differ].nunique(), len(outcome.requests)
        raise BenchmarkError(
            f"{run.folder}: {count} of {size} requests ({outcome.task},"
            f" {outcome.protocol}) are now answered otherwise than recorded; run the model again"
            " with this version and on this kind of machine"
        )

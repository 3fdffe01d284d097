"""Export: a stored run is asked again, and its answers are written down as TREC files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError, InputError
from benchmark.evaluation.evaluate import Protocol, TaskOutcome, evaluate
from benchmark.exchange.stand_ins import Hear, Overheard
from benchmark.exchange.trec_write import (
    item_ids,
    request_ids,
    write_answers,
    write_qrels,
    write_requests,
)
from benchmark.model import Model
from benchmark.registry import find
from benchmark.results.record import RunRecord
from benchmark.run_log import RunLog

__all__ = ["export_run", "stored_model"]


def stored_model(run: RunRecord) -> Model:
    """Return the model of a run with its weights.

    Raises:
        InputError: the run has none, or its model is not installed.
        BenchmarkError: this version of the model cannot read them.
    """
    if not (run.folder / "model.safetensors").is_file():
        raise InputError(f"{run.folder}: holds no weights, so its model cannot be asked again")
    kind = find(run.info["model"]).load()
    try:
        return kind.load(run.folder)
    except Exception as error:  # whatever a model raises on weights of another version
        reason = f"{type(error).__name__}: {error}"
        raise BenchmarkError(f"{run.folder}: its weights cannot be read: {reason}") from error


def export_run(run: RunRecord, dataset: Dataset, model: Model, out: Path, depth: int) -> list[str]:
    """Write ``qrels``, ``requests`` and ``run`` files and return their names.

    Args:
        run: the stored run.
        dataset: what it was asked about.
        model: the run's own, see :func:`stored_model`.
        out: a folder that does not exist yet, or is empty; it is written whole or not at all.
        depth: items listed of each request under the full protocol; all candidates are listed
            under the sampled one. Candidates that were never produced are not listed.

    Raises:
        InputError: ``out`` cannot be written to.
        BenchmarkError: the model now answers otherwise than the record says.
    """
    ids, stored = item_ids(dataset.items.ids), run.requests()
    with _written_whole(out) as folder:
        for name, means in run.info["metrics"].items():
            task = Task(name)
            evaluation = dataset.evaluation["test", task]
            with (folder / f"qrels.{task}.txt").open("wb") as stream:
                write_qrels(stream, evaluation, ids)
            with (folder / f"requests.{task}.tsv").open("wb") as stream:
                write_requests(stream, evaluation.requests, ids)
            with ExitStack() as opened:
                hear: dict[Protocol, Hear] = {}
                for protocol in means:
                    file = opened.enter_context((folder / f"run.{task}.{protocol}.txt").open("wb"))
                    hear[protocol] = partial(_write, file, task, ids, run.info["model"])
                overheard = Overheard(model, evaluation, hear, depth)
                for outcome in evaluate(
                    overheard, run.info["model"], dataset, "test", (task,), tuple(hear), RunLog()
                ):
                    _check(run, stored, outcome)
        return sorted(file.name for file in folder.iterdir())


def _write(
    stream: BinaryIO,
    task: Task,
    ids: pa.Array,
    tag: str,
    first: int,
    items: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> None:
    requests = request_ids(task, np.arange(first, first + len(items)))
    write_answers(stream, requests, ids, items, scores, tag)


def _check(run: RunRecord, stored: pd.DataFrame, outcome: TaskOutcome) -> None:
    rows = (stored["task"] == str(outcome.task)) & (stored["protocol"] == outcome.protocol)
    before = stored[rows].sort_values("request", kind="stable")
    differ = np.zeros(len(before), dtype=bool)
    for name in ("greater", "tied", "candidates"):
        differ |= before[name].to_numpy() != getattr(outcome.ranks, name)
    if differ.any():
        raise BenchmarkError(
            f"{run.folder}: {differ.sum()} of {len(differ)} requests ({outcome.task},"
            f" {outcome.protocol}) are now answered otherwise than recorded; run the model again"
            " with this version and on this kind of machine"
        )


@contextmanager
def _written_whole(out: Path) -> Iterator[Path]:
    """Yield a folder that takes the place of ``out`` when all went well."""
    try:
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise InputError(f"--out {out}: is there already; name a new folder")
        parent = out.absolute().parent
        if not parent.is_dir():
            raise InputError(f"--out {out}: no such folder {parent}; make it first")
        workplace = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=parent))
        try:
            unfinished = workplace / "unfinished"
            unfinished.mkdir()
            yield unfinished
            unfinished.rename(out)
        finally:
            shutil.rmtree(workplace, ignore_errors=True)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written: {error.strerror or error}") from error

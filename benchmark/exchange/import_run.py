"""Import: the answers of a system outside this repository become a run record like any other."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.dataset import Dataset, EvaluationSet
from benchmark.data.evaluation_set import PROTOCOLS, Protocol
from benchmark.data.keys import among
from benchmark.data.requests import Task
from benchmark.data.too_few import why_none
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import evaluate
from benchmark.exchange.contradictions import contradictions
from benchmark.exchange.recited import Recited
from benchmark.exchange.trec_read import Listing, read_listing
from benchmark.folders import standing
from benchmark.locks import locked
from benchmark.names import check_name as check_alphabet
from benchmark.registry import is_taken
from benchmark.results.record import RunRecord, read_run, run_folder, shared_of, write_run
from benchmark.results.summary import summarise
from benchmark.results.table import RunTables, counts_table, top_table, with_blocks
from benchmark.run_log import RunLog
from benchmark.running.environment import circumstances
from benchmark.running.identity import RunIdentity, harness_digest
from benchmark.settings import IMPORTED

__all__ = ["Imported", "check_name", "import_run"]


@dataclass(frozen=True)
class Imported:
    """The record that an import ended up in.

    Attributes:
        record: all that was imported under this name and seed.
        requests: number of requests of the task.
        unanswered: how many of them the file does not name.
        listed: number of items that the file lists.
        not_candidates: how many of them are no candidates of their request.
        remarks: where the file contradicts itself, a line each.
    """

    record: RunRecord
    requests: int
    unanswered: int
    listed: int
    not_candidates: int
    remarks: tuple[str, ...]


def check_name(name: str) -> None:
    """Check what an outside system is to be called.

    Raises:
        InputError: it is no name, or a model of ours has it.
    """
    check_alphabet(name, "--name")
    if is_taken(name):
        raise InputError(f"--name {name}: is a model of this installation; choose another name")


def import_run(
    file: Path,
    name: str,
    dataset: Dataset,
    task: Task,
    protocol: Protocol,
    seed: int,
    results: Path,
) -> Imported:
    """Make a run record of a TREC run file.

    What was imported before under the same name and seed for the same data stays in the record,
    unless it is of the same task and protocol.

    Args:
        file: the run file, see :mod:`benchmark.exchange.trec_read`. A candidate that it does not
            list was never produced; a listed item that is no candidate does not count.
        name: of the system, see :func:`check_name`.
        dataset: what it was asked about.
        task: what it was asked for.
        protocol: how it was asked.
        seed: of its training.
        results: the folder that holds ``runs/``.

    Raises:
        InputError: anything wrong with the file or the name.
        BusyError: another process writes records of the same data set.
    """
    check_name(name)
    evaluation = dataset.evaluation.get(("test", task))
    if evaluation is None:
        why = why_none(dataset, [task])
        raise InputError(f"--task {task}: {dataset.name} has no {task} requests: {why}")
    if protocol not in evaluation.protocols:
        raise InputError(f"--protocol {protocol}: {dataset.name} has no such lists for {task}")
    asked = evaluation.asked(protocol)
    listing = read_listing(file, task, len(evaluation), dataset.items.ids)
    unanswered = len(np.setdiff1d(asked, listing.request))
    ignored = _not_candidates(listing, evaluation, protocol)
    origin = {"file": file.name, "sha256": listing.sha256}
    facts = {str(task): {protocol: {**origin, "unanswered": unanswered, "not_candidates": ignored}}}
    outcomes = evaluate(_recited(listing), name, dataset, "test", (task,), (protocol,), RunLog())
    metrics = summarise(outcomes, dataset)
    metrics[str(task)][protocol]["seconds_per_request"] = None
    identity = _identity(name, dataset, seed)
    folder = run_folder(results, dataset.name, name, identity.run_id)
    shared = shared_of(dataset, results, harness_digest())
    tables = RunTables(shared, counts_table(outcomes), top_table(outcomes))
    with locked(folder.parent.parent):
        if standing(folder).exists():
            older = read_run(folder)
            metrics = _joined(older.info["metrics"], metrics)
            facts = _joined(older.info["facts"], facts)
            tables = _beside(older.tables(), tables)
        record = write_run(folder, _info(identity, dataset, metrics, facts), tables, None)
    listed, remarks = len(listing.item), tuple(contradictions(listing))
    return Imported(record, len(asked), unanswered, listed, ignored, remarks)


def _recited(listing: Listing) -> Recited:
    """Return a model of the listing; scores become places within a request, which float32 holds."""
    order = np.lexsort((listing.score, listing.request))
    request, score = listing.request[order], listing.score[order]
    first = np.diff(request, prepend=-1) != 0
    rises = first | (np.diff(score, prepend=np.nan) != 0)
    place = np.cumsum(rises)
    within = place - np.maximum.accumulate(np.where(first, place, 0))
    return Recited(request, listing.item[order], within.astype(np.float32))


def _not_candidates(listing: Listing, evaluation: EvaluationSet, protocol: Protocol) -> int:
    requests = evaluation.requests
    listed = listing.request.astype(np.int64) * requests.items + listing.item
    if protocol != "full":
        lists = evaluation.lists[protocol]
        return int((~among(listed, lists.owner * requests.items + lists.items)).sum())
    if not requests.exclude_seen:
        return 0
    return int(requests.holds(listing.request.astype(np.int64), listing.item).sum())


def _identity(name: str, dataset: Dataset, seed: int) -> RunIdentity:
    """Return what all imports of a name, data set and seed have in common."""
    return RunIdentity(
        model=name,
        preset=IMPORTED,
        settings={},
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        candidates_digest=dataset.candidates_digest,
        tasks=(),
        protocols=(),
        seed=seed,
        device="external",
        code="",
    )


def _joined(older: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """Merge two ``{task: {protocol: anything}}``; where both have a value, the newer one counts."""
    tasks = [str(t) for t in Task if str(t) in older or str(t) in newer]
    return {t: {**older.get(t, {}), **newer.get(t, {})} for t in tasks}


def _beside(older: RunTables, newer: RunTables) -> RunTables:
    """Return one task and protocol beside the others of an older record."""
    counts, top = with_blocks(older.counts, newer.counts), newer.top
    if older.top is not None and top is not None:
        top = with_blocks(older.top, top)
    return RunTables(newer.shared, counts, top)


def _info(
    identity: RunIdentity, dataset: Dataset, metrics: dict[str, Any], facts: dict[str, Any]
) -> dict[str, Any]:
    sums = [f"{t}.{p} {facts[t][p]['sha256']}" for t in facts for p in sorted(facts[t])]
    whole = replace(
        identity,
        tasks=tuple(metrics),
        protocols=tuple(p for p in PROTOCOLS if any(p in means for means in metrics.values())),
        code=hashlib.sha256("\n".join(sums).encode()).hexdigest(),
    )
    return {
        "run": identity.run_id,
        **asdict(whole),
        "changed": {},
        **circumstances(dataset),
        "environment": {"device": "external"},
        "phases": [],
        "peak_memory_mib": None,
        "parameters": None,
        "curve": [],
        "facts": facts,
        "metrics": metrics,
    }

"""Run records made by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from baselines.diagnostic import Constant
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import compute
from benchmark.model import Model
from benchmark.results.record import RunRecord, run_folder, write_run
from benchmark.results.table import COUNTS, SHARED, RunTables, blocks_of, joined

_COUNTED = ("request", "gain", "greater", "tied", "candidates")

Ranks = Sequence[int]


def tables(
    asked: Mapping[tuple[str, str], Ranks],
    users: Sequence[int] | None = None,
    candidates_of: Sequence[int] | None = None,
    requests: Sequence[int] | None = None,
    gains: Sequence[float] | None = None,
) -> RunTables:
    """Return the tables of (task, protocol): how many candidates stand above each relevant item.

    Without ``requests``, the request of each row, every request has one relevant item.
    """
    shared, counts = [], []
    for (task, protocol), ranks in asked.items():
        block = {"task": task, "protocol": protocol}
        for row, above in enumerate(ranks):
            number = row if requests is None else requests[row]
            shared.append(
                {
                    **block,
                    "request": number,
                    "user": users[number] if users is not None else number,
                    "query": -1,
                    "item": row % 100,
                    "gain": 1.0 if gains is None else gains[row],
                    "candidates": candidates_of[number] if candidates_of is not None else 100,
                    "query_kind": "given" if task == "search" else "",
                    "history": number,
                    "item_events": row,
                }
            )
            counts.append({**block, "greater": above, "tied": 0})
    return RunTables(
        pa.Table.from_pylist(shared, schema=SHARED),
        pa.Table.from_pylist(counts, schema=COUNTS),
        None,
    )


def record(
    results: Path,
    model: str,
    asked: Mapping[tuple[str, str], Ranks],
    users: Sequence[int] | None = None,
    candidates_of: Sequence[int] | None = None,
    requests: Sequence[int] | None = None,
    gains: Sequence[float] | None = None,
    **changes: Any,
) -> RunRecord:
    """Write a run whose relevant items stand below so many candidates, and return it."""
    made = tables(asked, users, candidates_of, requests, gains)
    return written(results, model, made, **changes)


def written(
    results: Path, model: str, made: RunTables, weights: Model | None = None, **changes: Any
) -> RunRecord:
    """Write a run with these tables, and return it.

    A digest may be any text; ``run`` stands behind preset and seed.
    """
    asked = list(blocks_of(made.counts))
    values: dict[str, Any] = {
        "model": model,
        "preset": "standard",
        "settings": changes.get("changed", {}),
        "dataset": "toy",
        "dataset_digest": "d" * 64,
        "candidates_digest": "c" * 64,
        "tasks": sorted({task for task, _ in asked}),
        "protocols": sorted({protocol for _, protocol in asked}),
        "seed": 1,
        "device": "cpu",
        "code": "0" * 64,
        "tuning": None,
        "ablation": None,
        "changed": {},
        "split": "leave-one-out",
        "leakage": "safe",
        "seen": "exclude",
        "repeated": {task: {"targets": 0, "requests": 0} for task, _ in asked},
        "version": "0.1.0",
        "harness": "1" * 64,
        "finished": "2024-01-01T00:00:00+00:00",
        "environment": {"device": "cpu"},
        "phases": [{"name": "fit", "seconds": 2.0, "memory_mib": 100.0}],
        "peak_memory_mib": 100.0,
        "parameters": 1234,
        "curve": [],
        "facts": {},
        **changes,
    }
    for name in ("dataset_digest", "candidates_digest", "code", "harness"):
        values[name] = _digest(values[name])
    settings = "-".join(f"{n}{v}" for n, v in values["settings"].items())
    number = f"{settings}-{'+'.join(values['tasks'])}-{values['finished']}"
    values["run"] = f"{values['preset']}-s{values['seed']}-{changes.get('run', number)}"
    if "metrics" not in values:
        values["metrics"] = means(made)
    place = run_folder(results, values["dataset"], model, values["run"])
    return write_run(place, values, made, weights or Constant())


def means(made: RunTables) -> dict[str, dict[str, dict[str, float]]]:
    """Return what ``run.json`` states of tables: the means that their rows give."""
    frame = joined(made.shared.to_pandas(), blocks_of(made.shared), made.counts)
    stated: dict[str, dict[str, dict[str, float]]] = {}
    for (task, protocol), rows in frame.groupby(["task", "protocol"], sort=False):
        counts = Counts.of_table({name: rows[name] for name in _COUNTED})
        told = {name: float(values.mean()) for name, values in compute(counts).items()}
        told |= {"requests": counts.requests, "seconds_per_request": 0.001}
        stated.setdefault(str(task), {})[str(protocol)] = told
    return stated


def _digest(text: str) -> str:
    """Return a digest as it is, and one for any other text."""
    return text if len(text) == 64 else hashlib.sha256(text.encode()).hexdigest()

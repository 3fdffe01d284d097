"""Run records made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from baselines.diagnostic import Constant
from benchmark.results.record import RunRecord, run_folder, write_run
from benchmark.results.table import COUNTS, SHARED, RunTables

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
                    "item": row,
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
    values: dict[str, Any] = {
        "model": model,
        "preset": "standard",
        "settings": {},
        "changed": {},
        "dataset": "toy",
        "dataset_digest": "d" * 64,
        "candidates_digest": "c" * 64,
        "tasks": sorted({task for task, _ in asked}),
        "seed": 1,
        "code": "0" * 64,
        "harness": "1" * 64,
        "split": "leave-one-out",
        "leakage": "safe",
        "seen": "exclude",
        "repeated": {task: {"targets": 0, "requests": 0} for task, _ in asked},
        "finished": "2024-01-01T00:00:00+00:00",
        "phases": [{"name": "fit", "seconds": 2.0, "memory_mib": 100.0}],
        "parameters": 1234,
        **changes,
    }
    settings = "-".join(f"{n}{v}" for n, v in values["settings"].items())
    number = f"{values['preset']}-s{values['seed']}-{settings}-{'+'.join(values['tasks'])}"
    values["run"] = changes.get("run", f"{number}-{values['finished']}")
    metrics: dict[str, dict[str, Any]] = {}
    for task, protocol in asked:
        metrics.setdefault(task, {})[protocol] = {"seconds_per_request": 0.001}
    place = run_folder(results, values["dataset"], model, values["run"])
    made = tables(asked, users, candidates_of, requests, gains)
    return write_run(place, {**values, "metrics": metrics}, made, Constant())

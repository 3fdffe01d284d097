"""Run records made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from baselines.diagnostic import Constant
from benchmark.results.record import RunRecord, run_folder, write_run
from benchmark.results.table import to_table

Counts = Sequence[int]


def table_of(
    asked: Mapping[tuple[str, str], Counts],
    users: Sequence[int] | None = None,
    candidates_of: Sequence[int] | None = None,
) -> pa.Table:
    """Return the table of (task, protocol): how many candidates stand above each target."""
    rows = [
        {
            "task": task,
            "protocol": protocol,
            "request": number,
            "user": users[number] if users is not None else number,
            "query": -1,
            "item": number,
            "greater": above,
            "tied": 0,
            "candidates": candidates_of[number] if candidates_of is not None else 100,
            "query_kind": "given" if task == "search" else "",
            "history": number,
            "item_events": number,
        }
        for (task, protocol), ranks in asked.items()
        for number, above in enumerate(ranks)
    ]
    return pa.Table.from_pylist(rows, schema=to_table([], np.zeros(0, dtype=int)).schema)


def record(
    results: Path,
    model: str,
    asked: Mapping[tuple[str, str], Counts],
    users: Sequence[int] | None = None,
    candidates_of: Sequence[int] | None = None,
    **changes: Any,
) -> RunRecord:
    """Write a run whose targets stand below so many candidates, and return it."""
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
        "split": "leave-one-out",
        "leakage": "safe",
        "seen": "exclude",
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
    return write_run(
        place, {**values, "metrics": metrics}, table_of(asked, users, candidates_of), Constant()
    )

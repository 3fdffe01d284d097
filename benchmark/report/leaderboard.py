"""The leaderboard as data: a pure function of run records, whatever their order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from benchmark.evaluation.metrics import MAIN, compute
from benchmark.evaluation.significance import holm, randomisation_test, sum_by_unit
from benchmark.results.record import RunRecord

__all__ = ["SHOWN", "Board", "Entry", "Pair", "Row", "Table", "boards"]

SHOWN = (MAIN, "hr@10", "mrr@10")
"""Metrics of the leaderboard; significance is tested for the first."""
LEVEL = 0.05


@dataclass(frozen=True)
class Entry:
    """The runs of one model with the same settings and tasks, one for each seed."""

    label: str
    preset: str
    runs: tuple[RunRecord, ...]

    @property
    def fit_seconds(self) -> float:
        """Mean time to train."""
        times = [p["seconds"] for r in self.runs for p in r.info["phases"] if p["name"] == "fit"]
        return float(np.mean(times)) if times else 0.0


@dataclass(frozen=True)
class Row:
    """One model in one table; ``mean`` is ``None`` where the entry did not run this protocol."""

    entry: Entry
    mean: float
    sd: float | None
    seeds: int
    requests: int
    tier: str | None
    seconds_per_request: float


@dataclass(frozen=True)
class Pair:
    """The best model against another: differences of the metric's means and their p-values."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    win: int
    tie: int
    loss: int


@dataclass(frozen=True)
class Table:
    """A task under a protocol, by one metric, best model first."""

    task: str
    protocol: str
    metric: str
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Board:
    """All tables over exactly the same data: files, split, candidates, seen items."""

    dataset: str
    split: str
    leakage: str
    seen: str
    digest: str
    tables: tuple[Table, ...]
    superseded: int


def boards(records: Iterable[RunRecord], newest_code: str | None = None) -> list[Board]:
    """Make one board for each version of each data set.

    Args:
        records: the runs to show.
        newest_code: where a request was run with several versions of the code, the run of this
            version counts, or else the one that finished last.
    """
    groups: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for record in records:
        info = record.info
        groups[info["dataset"], info["dataset_digest"], info["candidates_digest"]].append(record)
    return [_board(list(groups[key]), newest_code) for key in sorted(groups)]


def _board(records: list[RunRecord], newest_code: str | None) -> Board:
    entries, superseded = _entries(records, newest_code)
    info = records[0].info
    frames = {id(run): run.requests() for entry in entries for run in entry.runs}
    tables = []
    for task in ("rec", "search"):
        for protocol in ("full", "sampled"):
            values = {
                entry.label: _values(entry, frames, task, protocol)
                for entry in entries
                if all(protocol in r.info["metrics"].get(task, {}) for r in entry.runs)
            }
            shown = [entry for entry in entries if entry.label in values]
            if shown:
                tables += [_table(task, protocol, name, shown, values) for name in SHOWN]
    return Board(
        dataset=info["dataset"],
        split=info["split"],
        leakage=info["leakage"],
        seen=info["seen"],
        digest=info["dataset_digest"],
        tables=tuple(tables),
        superseded=superseded,
    )


def _entries(records: list[RunRecord], newest_code: str | None) -> tuple[list[Entry], int]:
    """Group runs that differ in their seed only, and name the groups apart."""
    groups: dict[tuple[str, ...], dict[int, RunRecord]] = defaultdict(dict)
    replaced = 0
    for record in sorted(records, key=lambda r: _age(r, newest_code)):
        info = record.info
        settings = json.dumps(info["settings"], sort_keys=True)
        key = (info["model"], info["preset"], settings, ",".join(info["tasks"]))
        replaced += info["seed"] in groups[key]
        groups[key][info["seed"]] = record
    labels = _labels(list(groups))
    found = [
        Entry(labels[key], key[1], tuple(runs[seed] for seed in sorted(runs)))
        for key, runs in groups.items()
    ]
    return sorted(found, key=lambda e: e.label), replaced


def _age(record: RunRecord, newest_code: str | None) -> tuple[bool, str, str]:
    info = record.info
    return info["code"] == newest_code, info["finished"], info["run"]


def _labels(keys: list[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Name each group by its model and by whatever sets it apart from others of that model."""
    labels = {}
    for key in keys:
        model, preset, settings, tasks = key
        same = [other for other in keys if other[0] == model]
        parts = []
        if len({other[1] for other in same}) > 1:
            parts.append(preset)
        own = json.loads(settings)
        siblings = [json.loads(other[2]) for other in same if other[1] == preset]
        parts += [
            f"{name}={value}"
            for name, value in sorted(own.items())
            if any(sibling.get(name) != value for sibling in siblings)
        ]
        if len({other[3] for other in same}) > 1:
            parts.append(f"{tasks.replace(',', '+')} only" if "," not in tasks else "joint")
        labels[key] = f"{model} ({', '.join(parts)})" if parts else model
    return labels


def _values(
    entry: Entry, frames: dict[int, pd.DataFrame], task: str, protocol: str
) -> dict[str, Any]:
    """Return the metrics by request: each seed's mean, and the requests' means over seeds."""
    by_seed: dict[str, list[NDArray[np.float64]]] = {name: [] for name in SHOWN}
    users: NDArray[np.integer] = np.empty(0, dtype=np.int32)
    for run in entry.runs:
        frame = frames[id(run)]
        frame = frame[(frame["task"] == task) & (frame["protocol"] == protocol)]
        frame = frame.sort_values("request", kind="stable")
        users = frame["user"].to_numpy()
        found = compute(frame["greater"].to_numpy(), frame["tied"].to_numpy(), SHOWN)
        for name in SHOWN:
            by_seed[name].append(found[name])
    costs = [run.info["metrics"][task][protocol]["seconds_per_request"] for run in entry.runs]
    return {
        "users": users,
        "seconds": float(np.mean(costs)),
        **{name: np.stack(parts) for name, parts in by_seed.items()},
    }


def _table(
    task: str,
    protocol: str,
    metric: str,
    entries: list[Entry],
    values: dict[str, dict[str, Any]],
) -> Table:
    means = {e.label: float(values[e.label][metric].mean()) for e in entries}
    ordered = sorted(entries, key=lambda e: (-means[e.label], e.label))
    pairs = _pairs(ordered, values, metric) if metric == MAIN else ()
    beaten = {pair.b for pair in pairs if pair.p_holm < LEVEL}
    rows = []
    for entry in ordered:
        found = values[entry.label][metric]
        seeds = len(entry.runs)
        rows.append(
            Row(
                entry=entry,
                mean=means[entry.label],
                sd=float(found.mean(axis=1).std(ddof=1)) if seeds > 1 else None,
                seeds=seeds,
                requests=found.shape[1],
                tier=None if metric != MAIN or entry.label in beaten else "a",
                seconds_per_request=values[entry.label]["seconds"],
            )
        )
    return Table(task, protocol, metric, tuple(rows), pairs)


def _pairs(
    ordered: list[Entry], values: dict[str, dict[str, Any]], metric: str
) -> tuple[Pair, ...]:
    """Test the best model against every other, paired by user, corrected by Holm."""
    best = ordered[0].label
    found: list[dict[str, Any]] = []
    for other in (entry.label for entry in ordered[1:]):
        moved = values[best][metric].mean(axis=0) - values[other][metric].mean(axis=0)
        units = sum_by_unit(moved, values[best]["users"])
        scale = len(units) / max(len(moved), 1)
        low, high = _interval(units)
        found.append(
            {
                "a": best,
                "b": other,
                "difference": float(moved.mean()),
                "low": low * scale,
                "high": high * scale,
                "p": randomisation_test(units),
                "win": int((moved > 0).sum()),
                "tie": int((moved == 0).sum()),
                "loss": int((moved < 0).sum()),
            }
        )
    adjusted = holm([pair["p"] for pair in found])
    return tuple(Pair(p_holm=p, **pair) for p, pair in zip(adjusted, found, strict=True))


def _interval(units: NDArray[np.float64]) -> tuple[float, float]:
    """Return Student's 95% interval of the mean."""
    if len(units) < 2 or np.ptp(units) == 0:
        return float(units.mean()), float(units.mean())
    found = stats.ttest_1samp(units, 0.0).confidence_interval(1 - LEVEL)
    return float(found.low), float(found.high)

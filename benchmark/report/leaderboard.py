"""The leaderboard as data: a pure function of run records, whatever their order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
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
    """The runs of one model with the same settings and tasks, one for each seed.

    ``lacking`` of them were not asked by the protocol of the table.
    """

    label: str
    preset: str
    runs: tuple[RunRecord, ...]
    lacking: int = 0

    @property
    def fit_seconds(self) -> float:
        """Mean time to train."""
        times = [p["seconds"] for r in self.runs for p in r.info["phases"] if p["name"] == "fit"]
        return float(np.mean(times)) if times else 0.0


@dataclass(frozen=True)
class Row:
    """One model in one table; what is measured is ``None`` where a seed lacks the protocol."""

    entry: Entry
    mean: float | None
    sd: float | None
    seeds: int
    requests: int | None
    tier: str | None
    seconds_per_request: float | None


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
    """A task under a protocol, by one metric, best model first, incomplete rows last."""

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
    candidates: str
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
    groups = _groups(records, newest_code)
    counted: dict[int, RunRecord] = {}
    tables = []
    for task in ("rec", "search"):
        for protocol in ("full", "sampled"):
            asked = [group for group in groups if task in group.tasks]
            entries = [group.entry(task, protocol) for group in asked]
            runs = {id(run): run for e in entries for run in e.runs if _ran(run, task, protocol)}
            if runs:
                values = {e.label: _values(e, task, protocol) for e in entries if not e.lacking}
                tables += [_table(task, protocol, name, entries, values) for name in SHOWN]
                counted |= runs
    info = records[0].info
    return Board(
        dataset=info["dataset"],
        split=info["split"],
        leakage=info["leakage"],
        seen=info["seen"],
        digest=info["dataset_digest"],
        candidates=info["candidates_digest"],
        tables=tuple(tables),
        superseded=len(records) - len(counted),
    )


@dataclass(frozen=True)
class _Group:
    """All runs of one model with the same settings and tasks, by seed, the best to use last."""

    label: str
    preset: str
    tasks: tuple[str, ...]
    runs: dict[int, list[RunRecord]]

    def entry(self, task: str, protocol: str) -> Entry:
        """Take each seed's last run that was asked by the protocol, else its last run."""
        chosen, lacking = [], 0
        for seed in sorted(self.runs):
            able = [run for run in self.runs[seed] if _ran(run, task, protocol)]
            lacking += not able
            chosen.append((able or self.runs[seed])[-1])
        return Entry(self.label, self.preset, tuple(chosen), lacking)


def _ran(run: RunRecord, task: str, protocol: str) -> bool:
    return protocol in run.info["metrics"].get(task, {})


def _groups(records: list[RunRecord], newest_code: str | None) -> list[_Group]:
    """Group runs that differ in their seed only, and name the groups apart."""
    groups: dict[tuple[str, ...], dict[int, list[RunRecord]]] = defaultdict(dict)
    for record in sorted(records, key=lambda r: _age(r, newest_code)):
        info = record.info
        settings = json.dumps(info["settings"], sort_keys=True)
        key = (info["model"], info["preset"], settings, ",".join(info["tasks"]))
        groups[key].setdefault(info["seed"], []).append(record)
    labels = _labels(list(groups))
    found = [
        _Group(labels[key], key[1], tuple(key[3].split(",")), runs) for key, runs in groups.items()
    ]
    return sorted(found, key=lambda g: g.label)


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
        own = _written(settings)
        siblings = [_written(other[2]) for other in same if other[1] == preset]
        parts += [
            f"{name}={value}"
            for name, value in sorted(own.items())
            if any(sibling.get(name) != value for sibling in siblings)
        ]
        if len({other[3] for other in same}) > 1:
            parts.append(f"{tasks.replace(',', '+')} only" if "," not in tasks else "joint")
        labels[key] = f"{model} ({', '.join(parts)})" if parts else model
    return labels


def _written(settings: str) -> dict[str, str]:
    """Return each value as JSON writes it, so that 1 and 1.0, or null and no such field, differ."""
    values = json.loads(settings)
    return {n: v if isinstance(v, str) else json.dumps(v) for n, v in values.items()}


def _values(entry: Entry, task: str, protocol: str) -> dict[str, Any]:
    """Return the metrics by request: each seed's mean, and the requests' means over seeds."""
    by_seed: dict[str, list[NDArray[np.float64]]] = {name: [] for name in SHOWN}
    users: NDArray[np.integer] = np.empty(0, dtype=np.int32)
    for run in entry.runs:
        frame = run.requests()
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
    whole = [e for e in entries if not e.lacking]
    means = {e.label: float(values[e.label][metric].mean()) for e in whole}
    ordered = sorted(whole, key=lambda e: (-means[e.label], e.label))
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
    rows += [
        Row(e, None, None, len(e.runs) - e.lacking, None, None, None) for e in entries if e.lacking
    ]
    return Table(task, protocol, metric, tuple(rows), pairs)


def _pairs(
    ordered: list[Entry], values: dict[str, dict[str, Any]], metric: str
) -> tuple[Pair, ...]:
    """Test the best model against every other, paired by user, corrected by Holm."""
    if not ordered:
        return ()
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

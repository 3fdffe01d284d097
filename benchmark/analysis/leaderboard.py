"""The leaderboard as data: a pure function of run records, whatever their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.analysis.ablations import (
    AblationTable,
    ChangedSettings,
    ablation_tables,
    changed_settings,
)
from benchmark.analysis.run_groups import Entry, RunGroup, group_runs, labelled, ran
from benchmark.analysis.scores import SHOWN, RequestScores, measure, slices
from benchmark.analysis.tradeoff import TradeOff, trade_offs
from benchmark.errors import BenchmarkError
from benchmark.results.record import RunRecord
from benchmark.results.table import same_requests
from benchmark.statistics.multiple import holm, letters
from benchmark.statistics.paired import LEVEL, by_unit, effect_size, mean_interval
from benchmark.statistics.randomisation import randomisation_tests

__all__ = ["SHOWN", "Curve", "Leaderboard", "Pair", "Row", "Table", "boards"]

ALL = "all"
"""The slice that holds every request."""


@dataclass(frozen=True)
class Row:
    """One model in one table; what is measured is ``None`` where a seed lacks the protocol.

    Attributes:
        entry: the model's runs.
        mean: of the metric over requests and seeds.
        low: lower end of the 95% interval of the mean, by user.
        high: its upper end.
        sd: standard deviation over seeds; ``None`` for a single one.
        seeds: number of seeds that were measured.
        requests: number of requests.
        tier: letters; two models share one if and only if they are not distinguishable at 0.05.
        top: whether it is not distinguishable from the best.
        seconds_per_request: mean over seeds.
    """

    entry: Entry
    mean: float | None
    low: float | None
    high: float | None
    sd: float | None
    seeds: int
    requests: int | None
    tier: str | None
    top: bool
    seconds_per_request: float | None


@dataclass(frozen=True)
class Pair:
    """Two models, the better first: how far apart they are, and how sure that is.

    Attributes:
        a: label of the model that stands above.
        b: label of the other.
        difference: of the metric's means, with its 95% interval ``low`` to ``high``.
        p: of Fisher's randomisation test; ``p_holm`` after Holm's correction over all pairs.
        win: requests in which ``a`` is better; ``tie``, ``loss`` likewise.
        effect: standardised mean difference, with its 95% interval; ``None`` if all differences
            are the same.
        seeds: the smaller number of seeds of both.
    """

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
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    seeds: int


@dataclass(frozen=True)
class Table:
    """A task under a protocol, by one metric, best model first, incomplete rows last.

    ``slice`` names the requests that count, ``all`` for every one; ``others`` is the smallest and
    the largest number of candidates beside a relevant item.
    """

    task: str
    protocol: str
    slice: str
    metric: str
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    others: tuple[int, int] | None = None


@dataclass(frozen=True)
class Curve:
    """The validation curve of one run: points with ``seconds``, ``epoch`` and a value by task."""

    label: str
    preset: str
    seed: int
    points: tuple[dict[str, float], ...]


@dataclass(frozen=True)
class Leaderboard:
    """All tables over exactly the same data: files, split, candidates, seen items."""

    dataset: str
    split: str
    leakage: str
    seen: str
    digest: str
    candidates: str
    tables: tuple[Table, ...]
    tradeoff: tuple[TradeOff, ...]
    ablations: tuple[AblationTable, ...]
    changed: tuple[ChangedSettings, ...]
    curves: tuple[Curve, ...]
    superseded: int

    def whole(self, task: str) -> dict[str, Row]:
        """Return the rows by NDCG@10 over the whole catalogue, by model."""
        wanted = (task, "full", ALL, SHOWN[0])
        return {
            row.entry.label: row
            for table in self.tables
            if (table.task, table.protocol, table.slice, table.metric) == wanted
            for row in table.rows
        }

    def brief(self) -> Leaderboard:
        """Return the board with the tables over the whole catalogue only, without slices."""
        kept = [t for t in self.tables if (t.protocol, t.slice) == ("full", "all")]
        return replace(self, tables=tuple(kept))


def pareto_front(board: Leaderboard) -> list[str]:
    """Return the models of which no other is as good in both tasks and better in one."""
    rec, search = board.whole("rec"), board.whole("search")
    points = {
        name: (row.mean, other.mean)
        for name, row in rec.items()
        if (other := search.get(name)) and row.mean is not None and other.mean is not None
    }
    return [
        name
        for name, (x, y) in points.items()
        if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in points.values())
    ]


def boards(records: Iterable[RunRecord]) -> list[Leaderboard]:
    """Make one board for each version of each data set.

    Where a request was run several times, with several versions of the code, the run that finished
    last counts.
    """
    groups: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for record in records:
        info = record.info
        groups[info["dataset"], info["dataset_digest"], info["candidates_digest"]].append(record)
    return [_board(list(groups[key])) for key in sorted(groups)]


def _board(records: list[RunRecord]) -> Leaderboard:
    groups = group_runs(records)
    ablated, whole = ablation_tables(groups)
    changed, main = changed_settings(whole)
    main = labelled(main)
    counted: dict[int, RunRecord] = {}
    tables = []
    for task in ("rec", "search"):
        for protocol in ("full", "sampled"):
            for group in (g for g in groups if task in g.tasks):
                runs = group.entry(task, protocol).runs
                counted |= {id(run): run for run in runs if ran(run, task, protocol)}
            entries = [group.entry(task, protocol) for group in main if task in group.tasks]
            if any(ran(run, task, protocol) for entry in entries for run in entry.runs):
                tables += _tables(task, protocol, entries)
    info = records[0].info
    return Leaderboard(
        dataset=info["dataset"],
        split=info["split"],
        leakage=info["leakage"],
        seen=info["seen"],
        digest=info["dataset_digest"],
        candidates=info["candidates_digest"],
        tables=tuple(tables),
        tradeoff=tuple(trade_offs(main)),
        ablations=tuple(ablated),
        changed=tuple(changed),
        curves=tuple(_curves(main)),
        superseded=len(records) - len(counted),
    )


def _curves(groups: list[RunGroup]) -> list[Curve]:
    newest = [(g, seed, g.runs[seed][-1].info) for g in groups for seed in sorted(g.runs)]
    return [
        Curve(group.label, group.preset, seed, tuple(info["curve"]))
        for group, seed, info in newest
        if info.get("curve")
    ]


def _tables(task: str, protocol: str, entries: list[Entry]) -> list[Table]:
    """Make the tables of all metrics and slices; they share the flips of one test."""
    whole = [measure(entry, task, protocol) for entry in entries if not entry.lacking]
    lacking = [entry for entry in entries if entry.lacking]
    if not whole:
        empty = tuple(_incomplete(entry) for entry in lacking)
        return [Table(task, protocol, ALL, metric, empty, ()) for metric in SHOWN]
    _check_alike(whole)
    every: NDArray[np.bool_] = np.ones(len(whole[0].requests), dtype=bool)
    columns = [(metric, ALL, every) for metric in SHOWN]
    columns += [(SHOWN[0], name, rows) for name, rows in slices(whole[0].requests)]
    stacked = [
        [by_unit(np.where(rows, m.scores(metric), 0.0), m.users) for m in whole]
        for metric, _, rows in columns
    ]
    p_values = randomisation_tests(np.array(stacked))
    sizes = whole[0].requests["candidates"] - 1
    others = int(sizes.min()), int(sizes.max())
    return [
        _table(Table(task, protocol, name, metric, (), (), others), whole, lacking, rows, p)
        for (metric, name, rows), p in zip(columns, p_values, strict=True)
    ]


def _check_alike(whole: list[RequestScores]) -> None:
    for other in whole[1:]:
        if not same_requests(other.requests, whole[0].requests):
            raise BenchmarkError(
                f"{other.entry.runs[0].folder}: other requests than {whole[0].entry.runs[0].folder}"
            )


def _incomplete(entry: Entry) -> Row:
    seeds = len(entry.runs) - entry.lacking
    return Row(entry, None, None, None, None, seeds, None, None, False, None)


def _table(
    empty: Table,
    whole: list[RequestScores],
    lacking: list[Entry],
    rows: NDArray[np.bool_],
    p: NDArray[np.float64],
) -> Table:
    metric = empty.metric
    means = [float(m.scores(metric)[rows].mean()) for m in whole]
    order = sorted(range(len(whole)), key=lambda i: (-means[i], whole[i].entry.label))
    ordered = [whole[i] for i in order]
    p = p[np.ix_(order, order)]
    upper = np.triu_indices(len(ordered), 1)
    adjusted = np.ones_like(p)
    adjusted[upper] = holm(p[upper].tolist())
    adjusted = np.minimum(adjusted, adjusted.T)
    tiers = letters(adjusted < LEVEL)
    found = [
        _row(m, metric, rows, tier, bool(adjusted[0, i] >= LEVEL))
        for i, (m, tier) in enumerate(zip(ordered, tiers, strict=True))
    ]
    pairs = [
        _pair(ordered[a], ordered[b], metric, rows, float(p[a, b]), float(adjusted[a, b]))
        for a, b in zip(*(side.tolist() for side in upper), strict=True)
    ]
    found += [_incomplete(entry) for entry in lacking]
    return replace(empty, rows=tuple(found), pairs=tuple(pairs))


def _row(m: RequestScores, metric: str, rows: NDArray[np.bool_], tier: str, top: bool) -> Row:
    by_seed = m.by_seed[metric][:, rows]
    interval = mean_interval(by_unit(by_seed.mean(axis=0), m.users[rows]))
    seeds = len(m.entry.runs)
    sd = float(by_seed.mean(axis=1).std(ddof=1)) if seeds > 1 else None
    mean, size = float(by_seed.mean()), by_seed.shape[1]
    return Row(m.entry, mean, *interval, sd, seeds, size, tier, top, m.seconds_per_request)


def _pair(
    a: RequestScores,
    b: RequestScores,
    metric: str,
    rows: NDArray[np.bool_],
    p: float,
    p_holm: float,
) -> Pair:
    moved = (a.scores(metric) - b.scores(metric))[rows]
    units = by_unit(moved, a.users[rows])
    low, high = mean_interval(units)
    effect = effect_size(units)
    known = [None if np.isnan(value) else value for value in effect]
    return Pair(
        a=a.entry.label,
        b=b.entry.label,
        difference=float(moved.mean()),
        low=low,
        high=high,
        p=p,
        p_holm=p_holm,
        win=int((moved > 0).sum()),
        tie=int((moved == 0).sum()),
        loss=int((moved < 0).sum()),
        effect=known[0],
        effect_low=known[1],
        effect_high=known[2],
        seeds=min(len(a.entry.runs), len(b.entry.runs)),
    )

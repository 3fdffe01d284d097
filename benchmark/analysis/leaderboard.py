"""The leaderboard as data: a pure function of run records, whatever their order."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from benchmark.analysis.ablations import (
    AblationTable,
    ChangedSettings,
    ablation_tables,
    changed_settings,
)
from benchmark.analysis.agreement import Agreement, Order, agreement
from benchmark.analysis.relative_change import JOINT, PROTOCOLS
from benchmark.analysis.run_groups import RunGroup, group_runs, labelled, ran
from benchmark.analysis.scores import SHOWN, ScoreReader
from benchmark.analysis.tables import ALL, Row, Table, tables_of
from benchmark.analysis.tradeoff import TradeOff, trade_offs
from benchmark.results.record import RunRecord
from benchmark.settings import IMPORTED

__all__ = ["Curve", "Leaderboard", "Repeated", "boards", "pareto_front"]


@dataclass(frozen=True)
class Curve:
    """The validation curve of one run: points with ``seconds``, ``step`` and a value by task."""

    label: str
    preset: str
    seed: int
    points: tuple[dict[str, float], ...]


class Repeated(NamedTuple):
    """What ``seen: exclude`` took out: relevant items, and requests that had no other."""

    targets: int
    requests: int


@dataclass(frozen=True)
class Leaderboard:
    """All tables over exactly the same data: files, split, candidates, seen items.

    Attributes:
        dataset: name of the data set.
        split: how it was split.
        leakage: rule for twins of the relevant items.
        seen: whether items of the history are candidates of recommendation.
        digest: of the data.
        candidates: digest of the candidate lists.
        tables: by task and protocol, the whole before slices.
        tradeoff: joint models against themselves trained for one task.
        ablations: models without their parts.
        changed: models with changed settings.
        curves: validation curves.
        superseded: number of runs left out because a newer one has the same request.
        negatives: of a full sampled list; ``None`` where no run tells.
        repeated: by task, what was not asked because it stands in the history.
        versions: number of versions of the harness that asked the runs.
        mixed: models whose runs are of several versions of the model's own code.
        agreements: of the models' order here with those on the data sets of earlier boards.
    """

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
    negatives: int | None
    repeated: dict[str, Repeated]
    versions: int
    mixed: tuple[str, ...]
    agreements: tuple[Agreement, ...] = ()

    @property
    def leading(self) -> str:
        """The protocol to look at first: of those asked by, the first of ``PROTOCOLS``."""
        asked = {table.protocol for table in self.tables}
        return next((protocol for protocol in PROTOCOLS if protocol in asked), PROTOCOLS[0])

    def main_table(self, task: str) -> Table | None:
        """Return the table by NDCG@10 and the leading protocol over all requests, if there is."""
        wanted = (task, self.leading, ALL, SHOWN[0])
        found = (t for t in self.tables if (t.task, t.protocol, t.slice, t.metric) == wanted)
        return next(found, None)

    def whole(self, task: str) -> dict[str, Row]:
        """Return the rows of a task's main table by model."""
        table = self.main_table(task)
        return {} if table is None else {row.entry.label: row for row in table.rows}

    def brief(self) -> Leaderboard:
        """Return the board with the tables of the leading protocol only, without slices."""
        kept = [t for t in self.tables if (t.protocol, t.slice) == (self.leading, ALL)]
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
    made: list[Leaderboard] = []
    for key in sorted(groups):
        board = _board(list(groups[key]))
        made.append(replace(board, agreements=_agreements(board, made)))
    return made


def _agreements(board: Leaderboard, others: list[Leaderboard]) -> tuple[Agreement, ...]:
    found = [
        agreement(
            Order.of(board.main_table(task)),
            Order.of(other.main_table(task)),
            task,
            other.dataset,
        )
        for other in others
        if other.leading == board.leading
        for task in JOINT
    ]
    return tuple(each for each in found if each is not None)


def _board(records: list[RunRecord]) -> Leaderboard:
    reader = ScoreReader()
    groups = group_runs(records)
    ablated, whole = ablation_tables(groups, reader)
    changed, main = changed_settings(whole, reader)
    main = labelled(main)
    tables: list[Table] = []
    for task, protocol in itertools.product(JOINT, PROTOCOLS):
        entries = [group.entry(task, protocol) for group in main if task in group.tasks]
        if any(ran(run, task, protocol) for entry in entries for run in entry.runs):
            tables += tables_of(task, protocol, entries, reader)
    counted = {id(run): run for group in groups for run in _counted(group)}.values()
    info = records[0].info
    return Leaderboard(
        dataset=info["dataset"],
        split=info["split"],
        leakage=info["leakage"],
        seen=info["seen"],
        digest=info["dataset_digest"],
        candidates=info["candidates_digest"],
        tables=tuple(tables),
        tradeoff=tuple(trade_offs(main, reader)),
        ablations=tuple(ablated),
        changed=tuple(changed),
        curves=tuple(_curves(main)),
        superseded=len(records) - len(counted),
        negatives=max((r.info.get("negatives") or 0 for r in records), default=0) or None,
        repeated=_repeated(records),
        versions=len({run.info["harness"] for run in counted}),
        mixed=tuple(g.label for g in main if g.preset != IMPORTED and len(_versions(g)) > 1),
    )


def _counted(group: RunGroup) -> list[RunRecord]:
    """Return the runs of which a figure is made; one may stand there several times."""
    entries = [
        (group.entry(task, protocol), task, protocol)
        for task, protocol in itertools.product(group.tasks, PROTOCOLS)
    ]
    return [
        run for entry, task, protocol in entries for run in entry.runs if ran(run, task, protocol)
    ]


def _versions(group: RunGroup) -> set[str]:
    return {run.info["code"] for run in _counted(group)}


def _repeated(records: list[RunRecord]) -> dict[str, Repeated]:
    """Return what all runs on the same data say alike, as far as the record of any says it."""
    counts = {}
    for record in records:
        for task, count in (record.info.get("repeated") or {}).items():
            counts[task] = Repeated(count["targets"], count["requests"])
    return {task: counts[task] for task in sorted(counts)}


def _curves(groups: list[RunGroup]) -> list[Curve]:
    newest = [(g, seed, g.runs[seed][-1].info) for g in groups for seed in sorted(g.runs)]
    return [
        Curve(group.label, group.preset, seed, tuple(info["curve"]))
        for group, seed, info in newest
        if info.get("curve")
    ]

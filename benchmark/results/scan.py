"""All good runs of a results folder; whatever is left out is told, and never in the way."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from benchmark.errors import BenchmarkError
from benchmark.folders import in_place, standing
from benchmark.plain_text import plain
from benchmark.results.record import RunRecord, read_run
from benchmark.results.shared import SharedTable, SharedTables
from benchmark.results.table import ASKED

__all__ = ["scan_runs"]

Report = Callable[[str], object]
"""Takes a line worth telling the user."""

_DATA = ("dataset", "dataset_digest", "candidates_digest")
_RULES = ("split", "leakage", "seen", "negatives")


def scan_runs(results: Path, report: Report) -> Iterator[RunRecord]:
    """Yield all good runs below ``results`` in the order of their folders.

    ``report`` gets one line for each run that is left out: damaged, made under other rules, or at
    odds with others on the same data; and for each folder that cannot be looked into.
    """
    shared, runs = SharedTables(), []
    for folder in _folders(results / "runs", 3, report):
        try:
            runs.append(read_run(folder, shared))
        except BenchmarkError as error:  # noqa: PERF203
            if os.path.lexists(standing(folder)):  # else it was removed while it was read
                report(f"left out: {plain(str(error))}")
    return _agreeing(runs, report)


def _folders(place: Path, depth: int, report: Report) -> Iterator[Path]:
    """Yield the folders ``depth`` levels below ``place``, sorted, but for hidden ones.

    A file with an ending, such as a table that runs share or somebody's notes, is none of ours.
    """
    if not os.path.lexists(standing(place)):
        return
    try:
        mode = standing(place).stat().st_mode
        if stat.S_ISREG(mode) and place.suffix[1:].isalpha():
            return
        if not stat.S_ISDIR(mode):
            report(f"left out: {plain(str(place))}: is no folder of runs")
        elif depth == 0:
            yield place
        else:
            for inner in sorted({in_place(found) for found in place.iterdir()}):
                if not inner.name.startswith("."):
                    yield from _folders(inner, depth - 1, report)
    except OSError as error:
        report(f"left out: {plain(str(place))}: cannot be read: {error.strerror}")


def _agreeing(runs: Sequence[RunRecord], report: Report) -> Iterator[RunRecord]:
    """Yield the runs that say the same of the same data as most runs on it.

    The digests of data and candidates cover the rules and every request, so that runs which share
    them and differ in these contradict each other.
    """
    on_data: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for run in runs:
        on_data[tuple(run.info[name] for name in _DATA)].append(run)
    odd = {id(run): line for group in on_data.values() for run, line in _odd_ones(group)}
    for run in runs:
        if id(run) in odd:
            report(f"left out: {plain(str(run.folder))}: {odd[id(run)]}")
        else:
            yield run


def _odd_ones(runs: Sequence[RunRecord]) -> Iterator[tuple[RunRecord, str]]:
    """Yield the runs that contradict what most say, and how."""
    kinds: dict[tuple[object, ...], list[RunRecord]] = defaultdict(list)
    for run in runs:
        kind = (*(run.info.get(name) for name in _RULES), run.asked.checksum)
        kinds[kind].append(run)
    accepted: list[list[RunRecord]] = []
    for alike in sorted(kinds.values(), key=len, reverse=True):
        faults = ((others, _difference(alike[0], others[0])) for others in accepted)
        others, fault = next((each for each in faults if each[1]), ([], ""))
        if not fault:
            accepted.append(alike)
            continue
        known = "another run" if len(others) == 1 else f"{len(others)} runs"
        about = f"{fault} than {known} on the same data: {plain(str(others[0].folder))}"
        yield from ((run, about) for run in alike)


def _difference(run: RunRecord, other: RunRecord) -> str:
    """Return in which way two runs on the same data contradict each other, or nothing."""
    for name in _RULES:
        told = {each.info.get(name) for each in (run, other)} - {None}
        if len(told) > 1:
            return f"has another {name}"
    return "" if _same(run.asked, other.asked) else "was asked other requests"


def _same(one: SharedTable, other: SharedTable) -> bool:
    """Return whether two tables have the same rows for whatever both ask."""
    return all(
        _rows(one, block).equals(_rows(other, block))
        for block in one.blocks.keys() & other.blocks.keys()
    )


def _rows(shared: SharedTable, block: tuple[str, str]) -> pa.Table:
    rows = shared.blocks[block]
    return shared.table.select([*ASKED, "gain", "candidates"])[rows.start : rows.stop]

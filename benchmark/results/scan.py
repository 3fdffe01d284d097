"""All good runs of a results folder; whatever is left out is told, and never in the way."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from benchmark.errors import BenchmarkError
from benchmark.folders import in_place, standing
from benchmark.plain_text import plain
from benchmark.results.record import RunRecord, read_run
from benchmark.results.shared import SharedTable, SharedTables
from benchmark.results.table import ASKED

__all__ = ["LeftOut", "Scanned", "scan", "scan_runs"]

Report = Callable[[str], object]
"""Takes a line worth telling the user."""


@dataclass(frozen=True)
class LeftOut:
    """A run that was left out, or a folder of runs that could not be looked into.

    Attributes:
        place: where it lies.
        told: what is wrong with it, in one line that names the place.
        names: of the data set, the model and the run, as far down as the place lies.
    """

    place: Path
    told: str
    names: tuple[str, ...]

    def may_hold(self, dataset: str, model: str) -> bool:
        """Return whether a run of the model on the data set may be what was left out."""
        wanted = (dataset, model.replace(":", "-"))
        return all(own == other for own, other in zip(self.names, wanted, strict=False))


@dataclass(frozen=True)
class Scanned:
    """What a results folder holds.

    Attributes:
        runs: all good ones, in the order of their folders.
        left_out: whatever else was found.
    """

    runs: tuple[RunRecord, ...]
    left_out: tuple[LeftOut, ...]


_DATA = ("dataset", "dataset_digest", "candidates_digest")
_RULES = ("split", "leakage", "seen", "negatives")


def scan_runs(
    results: Path, report: Report, datasets: Collection[str] | None = None
) -> Iterator[RunRecord]:
    """Yield all good runs below ``results`` in the order of their folders.

    Args:
        results: folder of the run records.
        report: gets a line for each thing that :func:`scan` leaves out.
        datasets: only those in folders of these names, of all if not given.
    """
    found = scan(results, datasets)
    for each in found.left_out:
        report(f"left out: {each.told}")
    yield from found.runs


def scan(results: Path, datasets: Collection[str] | None = None) -> Scanned:
    """Read all runs below ``results``, or those in folders of these data sets only.

    What is damaged, made under other rules, or at odds with others on the same data is left out,
    and so is each folder that cannot be looked into.
    """
    root, shared = results / "runs", SharedTables()
    runs: list[RunRecord] = []
    faults: list[tuple[Path, str]] = []
    for folder in _folders(root, 3, faults):
        if datasets is not None and _names(root, folder)[0] not in datasets:
            continue
        try:
            runs.append(read_run(folder, shared))
        except BenchmarkError as error:
            if os.path.lexists(standing(folder)):  # else it was removed while it was read
                faults.append((folder, plain(str(error))))
    good = _agreeing(runs, faults)
    return Scanned(tuple(good), tuple(_left_out(root, *fault) for fault in faults))


def _left_out(root: Path, place: Path, told: str) -> LeftOut:
    return LeftOut(place, told, _names(root, place))


def _names(root: Path, place: Path) -> tuple[str, ...]:
    parts = place.relative_to(root).parts
    return tuple(unicodedata.normalize("NFC", part) for part in parts)


def _folders(place: Path, depth: int, faults: list[tuple[Path, str]]) -> Iterator[Path]:
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
            faults.append((place, f"{plain(str(place))}: is no folder of runs"))
        elif depth == 0:
            yield place
        else:
            for inner in sorted({in_place(found) for found in place.iterdir()}):
                if not inner.name.startswith("."):
                    yield from _folders(inner, depth - 1, faults)
    except OSError as error:
        faults.append((place, f"{plain(str(place))}: cannot be read: {error.strerror}"))


def _agreeing(runs: Sequence[RunRecord], faults: list[tuple[Path, str]]) -> list[RunRecord]:
    """Return the runs that say the same of the same data as most runs on it.

    The digests of data and candidates cover the rules and every request, so that runs which share
    them and differ in these contradict each other.
    """
    on_data: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for run in runs:
        on_data[tuple(run.info[name] for name in _DATA)].append(run)
    odd = {id(run): line for group in on_data.values() for run, line in _odd_ones(group)}
    told = ((run, odd[id(run)]) for run in runs if id(run) in odd)
    faults += [(run.folder, f"{plain(str(run.folder))}: {line}") for run, line in told]
    return [run for run in runs if id(run) not in odd]


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

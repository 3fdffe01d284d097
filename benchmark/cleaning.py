"""What lies in the folders of results and of prepared data and serves nobody any more.

Links are neither followed nor removed, and nothing outside of these folders is looked at. What a
living process may be at stays.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark.data.cache import beyond
from benchmark.errors import BenchmarkError
from benchmark.folders import discard, in_place
from benchmark.locks import BusyError, is_held, lock_file, locked, place_of_lock
from benchmark.results.record import read_run
from benchmark.results.shared import is_shared_name, unused
from benchmark.unfinished import UNFINISHED, changed, is_live, size_of

__all__ = ["Litter", "find", "take_away"]

_DAY = 86400.0
_BEYOND = "prepared data beyond the limit"
_OLD_STYLE = re.compile(r"\.(.+)[.-][a-z0-9_]{8}")
_OLD_CONTENT = {"unfinished", "older", "entry", "arrays.npz", "texts.jsonl", "manifest.json"}
"""What lies in the folders in which earlier versions of this package wrote."""


@dataclass(frozen=True)
class Litter:
    """Something that serves nobody.

    Attributes:
        path: where it lies.
        why: what it is, for a person.
        place: what is locked while it goes.
        holds: asks whether it still serves nobody.
    """

    path: Path
    why: str
    place: Path
    holds: Callable[[], bool]

    @property
    def size(self) -> int:
        """Its bytes."""
        return size_of(self.path)

    @property
    def age(self) -> float:
        """Seconds since anything in it was changed or used."""
        return max(0.0, time.time() - changed(self.path))


def find(results: Path, cache: Path, older_than: float | None, limit: float) -> list[Litter]:
    """Return what can go, in the order of paths.

    Args:
        results: the folder that holds ``runs/``, ``checkpoints/``, ``tuning/`` and ``sweeps/``.
        cache: the folder that holds prepared data sets.
        older_than: take checkpoints and prepared data too that could still be used, but were not
            touched for so many days; ``None`` leaves these.
        limit: bytes of prepared data to keep, those used last.
    """
    runs, checkpoints = results / "runs", results / "checkpoints"
    found = [
        litter
        for root in (runs, checkpoints, results / "tuning", results / "sweeps", cache / "data")
        for path in _hidden(root)
        if (litter := _left_behind(path)) is not None
    ]
    for dataset in _folders(runs, "*"):
        found += [_table(file, dataset) for file in unused(dataset)]
    for folder in _folders(checkpoints, "*/*/*"):
        found += _needless(folder, runs / folder.relative_to(checkpoints))
    if older_than is not None:
        found += _untouched(results, cache, older_than * _DAY)
    found += [Litter(each, _BEYOND, each, each.is_dir) for each in beyond(cache, limit)]
    return sorted({each.path: each for each in found}.values(), key=lambda each: each.path)


def take_away(litter: Litter) -> bool:
    """Remove something, unless somebody is at it, and return whether it has gone.

    Raises:
        InputError: the place cannot be written to.
    """
    with suppress(BusyError), locked(litter.place, wait=0):
        # A lock goes when it is let go of; taken away before, another could hold it as well.
        if litter.path != lock_file(litter.place) and litter.holds():
            discard(litter.path)
    return not os.path.lexists(litter.path)


def _hidden(root: Path) -> Iterator[Path]:
    """Yield the hidden files and folders below ``root``, but nothing inside of them."""
    if root.is_symlink():
        return
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(folder, name)
            if name.startswith(".") and not path.is_symlink():
                yield path
        names[:] = [name for name in names if not name.startswith(".")]


def _left_behind(path: Path) -> Litter | None:
    """Return what a process left behind that was killed, ``None`` if it is not that."""

    def dead() -> bool:
        return not is_live(path)

    def replaced() -> bool:
        return in_place(path).exists()

    if path.name.endswith(UNFINISHED) and dead():
        return Litter(path, "half written by a process that has ended", path, dead)
    if in_place(path) != path and replaced():
        return Litter(path, "replaced by a newer one", path.parent.parent, replaced)
    place = place_of_lock(path)
    if place is not None and not is_held(path):
        return Litter(path, "the lock of a process that has ended", place, path.exists)
    if path.is_dir() and dead() and _of_earlier_version(path):
        return Litter(path, "half written by an earlier version", path, dead)
    return None


def _of_earlier_version(path: Path) -> bool:
    """Return whether a folder is one that earlier versions wrote in, and no run's only copy."""
    told = _OLD_STYLE.fullmatch(path.name)
    inside = {each.name for each in path.iterdir()}
    known = all(name in _OLD_CONTENT or is_shared_name(name) for name in inside)
    return (
        told is not None and known and ("older" not in inside or path.with_name(told[1]).exists())
    )


def _table(file: Path, dataset: Path) -> Litter:
    return Litter(file, "no run stands on this table", dataset, lambda: file in unused(dataset))


def _needless(checkpoints: Path, record: Path) -> Iterator[Litter]:
    with suppress(BenchmarkError):
        read_run(record)
        yield Litter(checkpoints, "its run is stored", checkpoints, record.exists)


def _untouched(results: Path, cache: Path, seconds: float) -> Iterator[Litter]:
    checkpoints = results / "checkpoints"
    kept = [*_folders(checkpoints, "*/*/*"), *_folders(checkpoints, "common-*")]
    studies = _folders(results / "tuning", "*/*/*/checkpoints")
    entries = beyond(cache, 0)
    places = {path: path for path in (*kept, *entries)} | {path: path.parent for path in studies}
    for path, place in places.items():

        def untouched(path: Path = path) -> bool:
            return time.time() - changed(path) > seconds

        if untouched():
            yield Litter(path, f"not used for {seconds / _DAY:g} days", place, untouched)


def _folders(root: Path, pattern: str) -> list[Path]:
    """Return the folders below ``root`` that a pattern names, unless a link leads to them."""
    found = [path for path in root.glob(pattern) if path.is_dir()]
    chains = {
        path: [path, *path.parents][: len(path.relative_to(root).parts) + 1] for path in found
    }
    return [
        path
        for path, chain in chains.items()
        if not any(each.is_symlink() or each.name.startswith(".") for each in chain[:-1])
        and not chain[-1].is_symlink()
    ]

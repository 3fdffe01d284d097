"""Stored runs by what a person calls them: a folder, the end of an id, or a model's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmark.errors import InputError, did_you_mean
from benchmark.plain_text import plain_list
from benchmark.results.stored_files import read_info

__all__ = ["SHORTEST", "NamedRun", "find_pair", "find_run", "named_runs", "short_ids"]

SHORTEST = 4
"""Hexadecimal digits of a run's id that are taken for it, at least."""
_ID = re.compile(rf"[0-9a-f]{{{SHORTEST},12}}")
_TOLD = ("run", "model", "dataset", "preset", "finished")
_SHOWN = 5


@dataclass(frozen=True)
class NamedRun:
    """What a stored run says of itself, of which nothing was proved.

    Attributes:
        folder: where it lies.
        run: its id, which ends in 12 hexadecimal digits.
        model: by its name.
        dataset: by its name.
        preset: of its settings.
        seed: of its training.
        finished: when, in a form that sorts.
        tasks: that it was trained for.
    """

    folder: Path
    run: str
    model: str
    dataset: str
    preset: str
    seed: int
    finished: str
    tasks: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The end of the id."""
        return self.run.rpartition("-")[2]


def named_runs(results: Path) -> list[NamedRun]:
    """Return the runs of a results folder, the newest first; what is no run is passed over."""
    files = (results / "runs").glob("*/*/*/run.json")
    found = [run for file in files if (run := _told_by(file.parent)) is not None]
    return sorted(found, key=lambda each: (each.finished, each.run), reverse=True)


def _told_by(folder: Path) -> NamedRun | None:
    """Return what a folder's run says of itself, ``None`` where it is no run."""
    try:
        info = read_info(folder)
        told = {name: str(info[name]) for name in _TOLD}
        return NamedRun(folder, seed=int(info["seed"]), tasks=tuple(info["tasks"]), **told)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def short_ids(runs: list[NamedRun]) -> dict[str, str]:
    """Return the shortest end of each id, from its first digit on, that no other begins with."""
    digests = [run.digest for run in runs]
    for size in range(SHORTEST, 13):
        if len({digest[:size] for digest in digests}) == len(set(digests)):
            return {run.run: run.digest[:size] for run in runs}
    return {run.run: run.digest for run in runs}


def find_run(named: str, results: Path) -> Path:
    """Return the folder of a run.

    Args:
        named: a folder that holds a run; the id of a run below ``results``, or what its digits
            begin with; or a model, or ``DATASET/MODEL``, of which the newest run is meant. A folder
            that holds none is meant only where nothing else is: many a folder is called as a model.
        results: where to look for what is no folder.

    Raises:
        InputError: there is no such run, or several that may be meant.
    """
    return _meant(named, results)[0]


def find_pair(a: str, b: str, results: Path) -> tuple[Path, Path]:
    """Return the folders of two runs that are to be compared.

    Of models the newest pair is meant that is most alike: on one data set, with a task in common,
    by one preset, of one seed.

    Args:
        a: names a run as for :func:`find_run`.
        b: names the other one.
        results: where to look for what is no folder.

    Raises:
        InputError: there is no such run, or several that may be meant.
    """
    ones, others = _meant(a, results), _meant(b, results)
    told = {folder: _told_by(folder) for folder in (*ones, *others)}
    # The first of those that are most alike is the newest.
    return max(product(ones, others), key=lambda pair: _alike(told[pair[0]], told[pair[1]]))


def _alike(a: NamedRun | None, b: NamedRun | None) -> tuple[bool, ...]:
    """Return in what two runs are alike, what counts most first; in nothing if one is damaged."""
    if a is None or b is None:
        return ()
    shared = bool({*a.tasks} & {*b.tasks})
    return (a.dataset == b.dataset, shared, a.preset == b.preset, a.seed == b.seed)


def _meant(named: str, results: Path) -> list[Path]:
    """Return the folders that a name may mean: of a model all its runs, the newest first."""
    folder = Path(named)
    if (folder / "run.json").exists() or not re.fullmatch(r"[\w.:+-]+(/[\w.:+-]+)?", named):
        return [folder]
    runs = named_runs(results)
    dataset, _, model = named.rpartition("/")
    of_model = [r for r in runs if r.model == model and dataset in ("", r.dataset)]
    if of_model:
        return [r.folder for r in of_model]
    digits = named if _ID.fullmatch(named) else None
    meant = [r for r in runs if r.run == named or (digits and r.digest.startswith(digits))]
    if len(meant) > 1:
        names = plain_list([r.run for r in meant], _SHOWN)
        raise InputError(f"{named}: {len(meant)} runs are called so: {names}")
    if meant:
        return [meant[0].folder]
    if folder.is_dir():
        return [folder]
    known = {r.model for r in runs}
    hint = did_you_mean(model, known) if known else ": there are none"
    raise InputError(f"{named}: no such folder, and no run in {results} is called so{hint}")

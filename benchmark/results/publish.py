"""Keeping runs for others: counts without weights and lists, small enough to be committed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmark.errors import InputError
from benchmark.folders import discard
from benchmark.locks import locked
from benchmark.results.record import RunRecord, run_folder, write_run
from benchmark.results.scan import scan_runs
from benchmark.results.shared import drop_unused
from benchmark.unfinished import sweep_below

__all__ = ["newest_by_request", "publish", "request_of"]


def request_of(run: RunRecord, seed: bool = True) -> str:
    """Return what was asked for, as a key: the same before and after a change of the code.

    Defaults of settings belong to the code, so it is the changed settings that count. Without
    ``seed`` the key is that of all seeds together.
    """
    names = ("model", "dataset", "tasks", "preset", "changed", "seen", "leakage")
    asked = [run.info[name] for name in names]
    if seed:
        asked.append(run.info["seed"])
    if run.info.get("ablation"):
        asked.append(run.info["ablation"]["name"])
    return json.dumps(asked, sort_keys=True)


def newest_by_request(runs: Iterable[RunRecord]) -> dict[str, RunRecord]:
    """Return the newest run of each request."""
    return {request_of(run): run for run in sorted(runs, key=_age)}


def _asked(run: RunRecord) -> tuple[str, ...]:
    """Return a run's request, and the protocols that it was asked by."""
    return request_of(run), *sorted({p for means in run.info["metrics"].values() for p in means})


def _age(run: RunRecord) -> tuple[str, str]:
    return run.info["finished"], run.info["run"]


def publish(
    runs: Iterable[RunRecord], results: Path, report: Callable[[str], object]
) -> list[RunRecord]:
    """Store the newest run of each request below ``results``, without weights and top ten lists.

    Older runs of the same request and protocols there are removed, others stay; so do the tables
    that runs share, as long as a run stands on them. The folders of the data sets are locked.
    ``report`` gets a line for each run there that cannot be read, and stays.

    Raises:
        InputError: the folder cannot be written to, or a run lies there already.
        BusyError: another process writes records of the same data set.
    """
    newest = {_asked(run): run for run in sorted(runs, key=_age)}
    places = [_place(run, results) for run in newest.values()]
    folders = sorted({place.parent.parent for place in places})
    with ExitStack() as held:
        for folder in folders:
            held.enter_context(locked(folder))
        older = list(scan_runs(results, report))
        published = []
        for run, place in zip(newest.values(), places, strict=True):
            info = {name: value for name, value in run.info.items() if name != "schema"}
            published.append(write_run(place, info, replace(run.tables(), top=None), None))
        for run in older:
            if _asked(run) in newest and run.folder not in places:
                discard(run.folder)
        for folder in folders:
            drop_unused(folder)
            sweep_below(folder)
        return published


def _place(run: RunRecord, results: Path) -> Path:
    """Return where a run is to be published."""
    place = run_folder(results, run.info["dataset"], run.info["model"], run.info["run"])
    if (run.folder / "model.safetensors").exists() and place.resolve() == run.folder.resolve():
        raise InputError(f"{run.folder}: lies in --to already, and would lose its weights")
    return place

"""Whether fresh runs are as good as the runs of a baseline, request by request."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmark.errors import InputError
from benchmark.evaluation.paired import LEVEL, NonInferiority, by_unit, non_inferiority
from benchmark.report.comparison import metric_values, paired_tables
from benchmark.report.measured import SHOWN
from benchmark.results.record import RunRecord, run_folder, scan_runs, write_run

__all__ = ["Checked", "Outcome", "check", "named", "update"]


@dataclass(frozen=True)
class Checked:
    """One metric of a fresh run against its baseline.

    Attributes:
        run: what was asked, for people.
        task: the task.
        protocol: the protocol.
        metric: the metric.
        baseline: its mean in the baseline.
        fresh: its mean in the fresh run.
        test: of non-inferiority.
    """

    run: str
    task: str
    protocol: str
    metric: str
    baseline: float
    fresh: float
    test: NonInferiority


@dataclass(frozen=True)
class Outcome:
    """What was checked, and ``problems``: what kept a run from being checked, a line each."""

    checked: tuple[Checked, ...]
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is worse and nothing was left unchecked."""
        return not self.problems and all(each.test.passed for each in self.checked)


def named(run: RunRecord) -> str:
    """Return what a run was asked, in the words of the command that asks it."""
    info = run.info
    changed = "".join(f" --set {name}={value}" for name, value in sorted(info["changed"].items()))
    return (
        f"{info['model']} on {info['dataset']} ({','.join(info['tasks'])};"
        f" {info['preset']}{changed}, seed {info['seed']}, seen {info['seen']})"
    )


def check(
    baseline: Iterable[RunRecord], fresh: Iterable[RunRecord], margin: float = 0.0
) -> Outcome:
    """Compare every run of the baseline with the newest fresh run of the same request.

    A request is the same if model, data set, tasks, preset, changed settings and seed are; the
    code, and defaults of settings with it, may have moved on.

    Args:
        baseline: the runs to hold up.
        fresh: the runs to look at; others than those of the baseline are ignored.
        margin: the drop of a metric that is accepted, 0 or more.
    """
    newest = _by_request(fresh)
    checked: list[Checked] = []
    problems: list[str] = []
    for run in baseline:
        other = newest.get(_request(run))
        if other is None:
            problems.append(f"{named(run)}: no such run in the results; run it first")
            continue
        try:
            checked += _against(run, other, margin)
        except InputError as error:
            problems.append(f"{named(run)}: {error}")
    return Outcome(tuple(checked), tuple(problems))


def update(folder: Path, fresh: Iterable[RunRecord]) -> list[RunRecord]:
    """Store the newest run of each request as baseline, without weights; others there stay.

    Raises:
        InputError: the folder cannot be written to.
    """
    older = list(scan_runs(folder, lambda line: None))
    newest = _by_request(fresh)
    stored = []
    for run in newest.values():
        info = {name: value for name, value in run.info.items() if name != "schema"}
        place = run_folder(folder, info["dataset"], info["model"], info["run"])
        stored.append(write_run(place, info, pq.read_table(run.folder / "requests.parquet"), None))
    kept = {run.folder for run in stored}
    for run in older:
        if _request(run) in newest and run.folder not in kept:
            shutil.rmtree(run.folder)
    return stored


def _by_request(runs: Iterable[RunRecord]) -> dict[str, RunRecord]:
    """Return the newest run of each request."""
    ordered = sorted(runs, key=lambda run: (run.info["finished"], run.info["run"]))
    return {_request(run): run for run in ordered}


def _request(run: RunRecord) -> str:
    names = ("model", "dataset", "tasks", "preset", "changed", "seed", "seen", "leakage")
    return json.dumps([run.info[name] for name in names], sort_keys=True)


def _against(baseline: RunRecord, fresh: RunRecord, margin: float) -> list[Checked]:
    pairs = paired_tables(baseline, fresh)
    asked = set(baseline.requests()[["task", "protocol"]].itertuples(index=False, name=None))
    missing = asked - {key for key, _, _ in pairs}
    if missing:
        lacking = ", ".join(" ".join(key) for key in sorted(missing))
        raise InputError(f"{fresh.folder}: was not asked {lacking}")
    found = []
    for (task, protocol), before, after in pairs:
        for metric in SHOWN:
            old, new = metric_values(before, metric), metric_values(after, metric)
            test = non_inferiority(by_unit(new - old, before["user"].to_numpy()), margin, LEVEL)
            means = float(old.mean()), float(new.mean())
            found.append(Checked(named(baseline), task, protocol, metric, *means, test))
    return found

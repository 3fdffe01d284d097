"""Whether fresh runs are as good as the runs of a baseline, request by request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.analysis.comparison import paired_tables
from benchmark.analysis.scores import SHOWN, by_request, metric_values
from benchmark.errors import InputError
from benchmark.results.publish import newest_by_request, request_of
from benchmark.results.record import RunRecord
from benchmark.results.scan import LeftOut
from benchmark.statistics.paired import LEVEL, NonInferiority, by_unit, non_inferiority

__all__ = ["Checked", "Outcome", "check"]


Tables = dict[tuple[str, str], tuple[pd.DataFrame, pd.DataFrame]]
"""By task and protocol: the counts of a run of the baseline and of the fresh one."""


@dataclass(frozen=True)
class Checked:
    """One metric of fresh runs against their baseline.

    Attributes:
        run: what was asked, for people.
        task: the task.
        protocol: the protocol.
        metric: the metric.
        baseline: its mean in the baseline, over seeds.
        fresh: its mean in the fresh runs.
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
    """What was checked, and what was not.

    Attributes:
        checked: each metric.
        problems: what kept a run of the baseline from being checked, a line each.
        unknown: likewise, of runs that may be there but cannot be read.
    """

    checked: tuple[Checked, ...]
    problems: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether something is worse or not there, whatever else is unknown."""
        return bool(self.problems) or not all(each.test.passed for each in self.checked)

    @property
    def passed(self) -> bool:
        """Whether nothing is worse and nothing was left unchecked."""
        return not self.failed and not self.unknown


def _named(run: RunRecord, *others: RunRecord) -> str:
    """Return what a run, or one of each of several seeds, was asked: in the command's words."""
    info = run.info
    changed = "".join(f" --set {name}={value}" for name, value in sorted(info["changed"].items()))
    seeds = ", ".join(str(each.info["seed"]) for each in (run, *others))
    return (
        f"{info['model']} on {info['dataset']} ({','.join(info['tasks'])};"
        f" {info['preset']}{changed}, seed{'s' if others else ''} {seeds}, seen {info['seen']})"
    )


def check(
    baseline: Iterable[RunRecord],
    fresh: Iterable[RunRecord],
    margin: float = 0.0,
    left_out: Sequence[LeftOut] = (),
) -> Outcome:
    """Compare the runs of the baseline with the newest fresh runs of the same requests.

    A request is the same if model, data set, tasks, preset, changed settings and seed are; the
    code, and defaults of settings with it, may have moved on. Runs that differ in their seed only
    are checked together, so that what seeds differ by counts as noise.

    Args:
        baseline: the runs to hold up.
        fresh: the runs to look at; others than those of the baseline are ignored.
        margin: the drop of a metric that is accepted, 0 or more.
        left_out: what stands beside the fresh runs and could not be read.
    """
    newest = newest_by_request(fresh)
    together: dict[tuple[str, ...], list[tuple[RunRecord, Tables]]] = {}
    problems: list[str] = []
    unknown: list[str] = []
    for run in sorted(newest_by_request(baseline).values(), key=lambda run: run.info["seed"]):
        other = newest.get(request_of(run))
        if other is None:
            about = run.info["dataset"], run.info["model"]
            lost = next((each for each in left_out if each.may_hold(*about)), None)
            if lost is None:
                problems.append(f"{_named(run)}: no such run in the results; run it first")
            else:
                unknown.append(f"{_named(run)}: cannot be checked: {lost.told}")
            continue
        try:
            tables = _tables(run, other)
        except InputError as error:
            problems.append(f"{_named(run)}: {error}")
            continue
        data = (run.info[name] for name in ("dataset_digest", "candidates_digest"))
        key = (request_of(run, seed=False), *data, *sorted(map(str, tables)))
        together.setdefault(key, []).append((run, tables))
    checked: list[Checked] = []
    for seeds in together.values():
        name = _named(*(run for run, _ in seeds))
        checked += _checked(name, [tables for _, tables in seeds], margin)
    return Outcome(tuple(checked), tuple(problems), tuple(unknown))


def _tables(baseline: RunRecord, fresh: RunRecord) -> Tables:
    tables = {key: (before, after) for key, before, after in paired_tables(baseline, fresh)}
    wanted = {
        (task, name) for task, by_name in baseline.info["metrics"].items() for name in by_name
    }
    if missing := wanted - set(tables):
        lacking = ", ".join(" ".join(key) for key in sorted(missing))
        raise InputError(f"{fresh.folder}: was not asked {lacking}")
    return tables


def _checked(run: str, seeds: list[Tables], margin: float) -> list[Checked]:
    lines = []
    for task, protocol in seeds[0]:
        pairs = [tables[task, protocol] for tables in seeds]
        users = by_request(pairs[0][0])["user"].to_numpy()
        old, new = ([metric_values(pair[at], *SHOWN) for pair in pairs] for at in (0, 1))
        for metric in SHOWN:
            before, after = (np.stack([each[metric] for each in side]) for side in (old, new))
            test = non_inferiority(by_unit(after - before, users), margin, LEVEL)
            means = float(before.mean()), float(after.mean())
            lines.append(Checked(run, task, protocol, metric, *means, test))
    return lines

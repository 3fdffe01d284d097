"""Whether fresh runs are as good as the runs of a baseline, request by request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.errors import InputError
from benchmark.evaluation.paired import LEVEL, NonInferiority, by_unit, non_inferiority
from benchmark.report.comparison import metric_values, paired_tables
from benchmark.report.measured import SHOWN
from benchmark.results.publish import newest_by_request, request_of
from benchmark.results.record import RunRecord

__all__ = ["Checked", "Outcome", "check", "named"]


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
    newest = newest_by_request(fresh)
    checked: list[Checked] = []
    problems: list[str] = []
    for run in baseline:
        other = newest.get(request_of(run))
        if other is None:
            problems.append(f"{named(run)}: no such run in the results; run it first")
            continue
        try:
            checked += _against(run, other, margin)
        except InputError as error:
            problems.append(f"{named(run)}: {error}")
    return Outcome(tuple(checked), tuple(problems))


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

"""What a sweep would do, and how long it may take; nothing is run or prepared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from benchmark.data.load import is_prepared
from benchmark.errors import BenchmarkError
from benchmark.failures import owning
from benchmark.results.earlier import earlier_runs
from benchmark.sweeping.jobs import Job, Wish
from benchmark.sweeping.sweep import OnData, on_data
from benchmark.sweeping.timings import Estimate, Timings

__all__ = ["Expected", "Forecast", "SharedWork", "forecast"]


@dataclass(frozen=True)
class Expected:
    """A run that a sweep asks for.

    Attributes:
        dataset: the data set.
        model: its name, with what it is trained without.
        preset: of its settings.
        seed: of training.
        state: ``unprepared`` where the data tell only later whether it is stored.
        run_id: ``None`` where nobody can know it yet.
        estimate: of its time, if it is to be run.
        reason: why it is refused.
    """

    dataset: str
    model: str
    preset: str
    seed: int
    state: Literal["stored", "missing", "unprepared", "refused"]
    run_id: str | None = None
    estimate: Estimate | None = None
    reason: str | None = None


@dataclass(frozen=True)
class SharedWork:
    """What is done once for several runs.

    Attributes:
        dataset: the data set.
        name: what is made.
        runs: how many runs stand on it.
        ready: whether it stands ready.
    """

    dataset: str
    name: str
    runs: int
    ready: bool


@dataclass(frozen=True)
class Forecast:
    """What a sweep would do."""

    runs: list[Expected]
    shared: list[SharedWork]

    @property
    def open(self) -> list[Expected]:
        """The runs that are to be made, as far as anybody can know."""
        return [run for run in self.runs if run.state in ("missing", "unprepared")]

    @property
    def seconds(self) -> float:
        """All estimates of runs to be made, together."""
        return sum(run.estimate.seconds for run in self.open if run.estimate is not None)

    @property
    def unknown(self) -> int:
        """How many runs are to be made of whose times nothing is known."""
        return sum(run.estimate is None for run in self.open)

    def in_words(self, workers: int) -> str:
        """Return everything in one line."""
        states = [run.state for run in self.runs]
        parts = [f"{len(self.runs)} runs: {states.count('stored')} stored"]
        parts += [f"{len(self.open)} to be made"]
        parts += [f"{states.count('refused')} refused"] if "refused" in states else []
        line = ", ".join(parts)
        if self.open:
            spread = (
                f", {_told(self.seconds / workers)} on {workers} workers" if workers > 1 else ""
            )
            line += f"; about {_told(self.seconds)} of work{spread}"
        if self.unknown:
            line += f", and {self.unknown} runs of models that have not run before"
        return line


def forecast(
    name: str, wishes: Sequence[Wish], results: Path, tell: Callable[[str], object]
) -> Forecast:
    """Plan a sweep on the data that are prepared; of others only what the file says is known.

    Args:
        name: of the sweep.
        wishes: what is to be run.
        results: the folder of records; times come from it, and from ``results/published``.
        tell: takes a line that a person should know.
    """
    folders = (Path("results", "published"), results / "published", results)  # own ones last
    timings = Timings(earlier_runs(folders, {wish.experiment.entry.name for wish in wishes}))
    runs: list[Expected] = []
    shared: list[SharedWork] = []
    for source in dict.fromkeys(wish.source for wish in wishes):
        own = [wish for wish in wishes if wish.source == source]
        try:
            with owning():
                prepared = is_prepared(source.dataset)
                plan = on_data(name, source, own, results, None, tell) if prepared else None
        except BenchmarkError as error:
            runs += [_unplanned(w, s, "refused", None, str(error)) for w in own for s in _seeds(w)]
            continue
        if plan is None:
            unknown = list(_unprepared(own, timings))
            runs += unknown
            shared.append(SharedWork(source.dataset, "data and candidates", len(unknown), False))
        else:
            runs += _planned(plan, timings)
            ready = plan.steps.keys() - plan.unmade().keys()
            shared += [
                SharedWork(plan.dataset, step, len(users), digest in ready)
                for digest, (step, users) in plan.steps.items()
            ]
    return Forecast(runs, shared)


def _unprepared(wishes: Sequence[Wish], timings: Timings) -> Iterator[Expected]:
    """Yield the runs of wishes whose data are not prepared; what two have in common comes once."""
    met: set[str] = set()
    for wish in wishes:
        plan = wish.experiment
        for each in plan.with_ablations() if wish.block.ablations else [plan]:
            estimate = timings.of(each, wish.source.dataset)
            own = replace(wish, experiment=each)
            for seed in _seeds(wish):
                told = json.dumps([each.title, asdict(each.settings), each.tasks, seed])
                if told not in met:
                    met.add(told)
                    yield _unplanned(own, seed, "unprepared", estimate)


def _planned(plan: OnData, timings: Timings) -> list[Expected]:
    stored = [_expected(job, "stored", None) for job, _ in plan.stored]
    missing = [
        _expected(job, "missing", timings.of(job.experiment, job.dataset)) for job in plan.missing
    ]
    refused = [
        _unplanned(each.wish, seed, "refused", None, each.reason)
        for each in plan.refused
        for seed in _seeds(each.wish)
    ]
    return [*stored, *missing, *refused]


def _expected(job: Job, state: Literal["stored", "missing"], estimate: Estimate | None) -> Expected:
    return Expected(
        job.dataset,
        job.experiment.title,
        job.experiment.preset,
        job.seed,
        state,
        job.run_id,
        estimate,
    )


def _unplanned(
    wish: Wish,
    seed: int,
    state: Literal["unprepared", "refused"],
    estimate: Estimate | None,
    reason: str | None = None,
) -> Expected:
    return Expected(
        wish.source.dataset,
        wish.experiment.title,
        wish.experiment.preset,
        seed,
        state,
        None,
        estimate,
        reason,
    )


def _seeds(wish: Wish) -> list[int]:
    return list(dict.fromkeys(wish.block.seeds))


def _told(seconds: float) -> str:
    """Return a length of time for a person: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

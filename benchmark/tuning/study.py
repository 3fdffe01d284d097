"""A study: trials of one model's settings, each trained anew and measured on validation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError, InputError
from benchmark.locks import locked
from benchmark.running.identity import code_digest
from benchmark.running.plan import Experiment
from benchmark.search_space import Dimension, space_of
from benchmark.settings import settings_from_json
from benchmark.tuning.attempt import Attempt
from benchmark.tuning.open_study import OpenStudy
from benchmark.tuning.proposing import propose
from benchmark.tuning.pruning import HALVING, Halving
from benchmark.tuning.stored import Study, Trial, stored_studies, study_folder

__all__ = ["Study", "Trial", "find_study", "tune"]

_DECISIVE = ("benchmark.tuning.attempt", "benchmark.tuning.proposing")
"""The modules that decide, beside the model's and the harness's, what a search comes to."""


def tune(
    plans: Sequence[Experiment],
    dataset: Dataset,
    trials: int,
    seed: int,
    device: str,
    results: Path,
    tell: Callable[[str], None],
    pruning: Halving | None = HALVING,
) -> Iterator[Study]:
    """Search until each study has ``trials`` trials, and yield each study that has.

    Trials that are stored already count, and those that were at work go on. The first trial has the
    settings as planned, the others are proposed after those so far. A study that cannot go on
    leaves the others alone.

    Args:
        plans: where the searches start, one for each model.
        dataset: the data; only its training events and validation requests are used.
        trials: how many in all, 1 or more. A model without anything to search has one.
        seed: of the searches and of each training.
        device: ``auto``, ``cpu`` or ``cuda``.
        results: the folder that holds ``tuning/``.
        tell: gets a line after each trial.
        pruning: the rule by which trials end early, ``None`` where none does.

    Raises:
        BusyError: another process is at one of the studies.
        DamagedError: a study or a checkpoint is not what was written.
        BenchmarkError: a trial could not be brought to its end, or a first one failed.
    """
    with ExitStack() as stack:
        searches = []
        for plan in plans:
            search = _Search(plan, dataset, trials, seed, device, results, pruning)
            stack.enter_context(locked(search.folder, wait=0))
            search.open()
            searches.append(search)
        for search in searches:
            while (attempt := search.next()) is not None:
                tell(search.take(attempt.run(dataset)))
            yield search.study


class _Search:
    """The search over one model's settings: which trial is next, and what has ended."""

    def __init__(
        self,
        plan: Experiment,
        dataset: Dataset,
        trials: int,
        seed: int,
        device: str,
        results: Path,
        pruning: Halving | None,
    ) -> None:
        kind = plan.entry.load()
        self._plan, self._device = plan, device
        self._space = space_of(kind.Settings, kind.search_space)
        self._trials = trials if self._space else 1
        self._begun = _begun(plan, dataset, seed, self._space, pruning)
        self.folder = study_folder(results, self._begun)
        self.running: set[int] = set()

    def open(self) -> None:
        """Read what is stored; the folder is locked."""
        self._open = OpenStudy(self.folder, self._begun)

    @property
    def study(self) -> Study:
        """The study as it is stored."""
        return self._open.study

    def next(self) -> Attempt | None:
        """Return a trial that nobody is at: one that was, else a new one; ``None`` at the end."""
        waiting = [
            trial.number
            for trial in self._open.trials.values()
            if trial.state == "open"
            and trial.number <= self._trials
            and trial.number not in self.running
        ]
        number = waiting[0] if waiting else self._open.next_number()
        if number > self._trials:
            return None
        if not waiting:
            self._open.plan(self._proposed(number))
        self.running.add(number)
        return Attempt(
            self._plan,
            self.folder,
            number,
            self._begun.seed,
            self._device,
            self._begun.pruning,
        )

    def _proposed(self, number: int) -> dict[str, Any]:
        if number > 1:
            return propose(self._space, self._begun.seed, number, [*self._open.trials.values()])
        settings = asdict(self._plan.settings)
        return {name: settings[name] for name in self._space}

    def take(self, trial: Trial) -> str:
        """Store a trial that has ended, and return a line that tells of it.

        Raises:
            BenchmarkError: it is the first one and failed.
        """
        self.running.discard(trial.number)
        if trial.number == 1 and trial.state == "failed":
            self._open.forget(1)
            raise BenchmarkError(
                f"{self._begun.model}: the settings that the search starts from fail:"
                f" {trial.failure}; --set or --preset starts from others"
            )
        self._open.take(trial)
        return f"{self._begun.model}, trial {trial.number}: {_outcome(trial)} {trial.settings}"


def _outcome(trial: Trial) -> str:
    if trial.state == "failed":
        return f"failed in {trial.seconds:.1f} s"
    came_to = f"{trial.value:.4f} in {trial.seconds:.1f} s"
    if trial.state == "pruned":
        return f"pruned after {trial.curve[-1].percent} % of its epochs, {came_to}"
    return came_to


def _begun(
    plan: Experiment,
    dataset: Dataset,
    seed: int,
    space: dict[str, Dimension],
    pruning: Halving | None,
) -> Study:
    """Return the study without a trial yet."""
    return Study(
        plan.entry.name,
        plan.preset,
        _plain(plan.settings),
        dataset.name,
        dataset.digest,
        tuple(map(str, plan.tasks)),
        seed,
        {name: dimension.described() for name, dimension in space.items()},
        code_digest(plan.entry, *_DECISIVE),
        pruning,
    )


def _plain(settings: Any) -> dict[str, Any]:
    """Return all settings as they come back from JSON, which has no tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return plain


def find_study(
    results: Path,
    plan: Experiment,
    dataset: Dataset,
    notify: Callable[[str], object] | None = None,
) -> Study:
    """Return the largest stored study that started from the plan, the newest of several.

    Args:
        results: the folder that holds ``tuning/``.
        plan: where the search started.
        dataset: what was searched on.
        notify: gets a line for each study that is left out, as it is damaged.

    Raises:
        InputError: there is none.
    """
    name, wanted = plan.entry.name, (_plain(plan.settings), dataset.digest)
    left_out: list[str] = []
    found = [
        (len(study.trials), file.stat().st_mtime, study)
        for file, study in stored_studies(results, dataset.name, name, left_out.append)
        if (study.base, study.dataset_digest) == wanted
        and study.tasks == tuple(map(str, plan.tasks))
        and _usable(file, study, type(plan.settings), left_out.append)
    ]
    if notify is not None and found:
        for line in left_out:
            notify(f"left out: {line}")
    if not found:
        damaged = f" ({len(left_out)} left out: {left_out[0]})" if left_out else ""
        raise InputError(
            f"--tuned: no search over settings of {name} on {dataset.name} for these tasks"
            f" and this preset in {results / 'tuning'}{damaged}; `python -m benchmark tune --model"
            f" {name}` with the same options makes one"
        )
    return max(found, key=lambda one: one[:2])[2]


def _usable(file: Path, study: Study, kind: type, notify: Callable[[str], object]) -> bool:
    """Return whether the model takes what the study chose."""
    try:
        settings_from_json(kind, {**study.base, **study.best.settings})
    except InputError as error:
        notify(f"{file}: {error}")
        return False
    return True

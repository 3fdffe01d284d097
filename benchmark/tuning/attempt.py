"""One trial: a model is trained with its settings and measured on validation.

Only what the settings are to blame for is a verdict on them: a model that refuses them
(:class:`RefusedError`), a training that diverges (:class:`DivergedError`). Whatever else fails is
no fault of theirs, and the trial stays open; so does one that does not fit into this machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError, DivergedError, InputError, PrunedError, RefusedError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.failures import blaming, owning
from benchmark.locks import locked
from benchmark.model import Model, TrainingContext, Validated
from benchmark.needs import Sizes
from benchmark.run_log import RunLog
from benchmark.running.device import resolve_device
from benchmark.running.estimate import check_room
from benchmark.running.plan import Experiment
from benchmark.subnormals import subnormals_flushed
from benchmark.tuning.begin import begin
from benchmark.tuning.open_study import checkpoints_of, common_of, trials_in
from benchmark.tuning.pruning import Halving
from benchmark.tuning.trials import Point, Trial, trial_file, write_trial

__all__ = ["Attempt"]


@dataclass(frozen=True)
class Attempt:
    """A trial that is to be brought to its end, by whichever process.

    Attributes:
        plan: where the search started.
        folder: of the study.
        number: of the trial, which is written down there.
        seed: of the search and of the training.
        device: ``auto``, ``cpu`` or ``cuda``.
        pruning: the rule by which it may end early.
    """

    plan: Experiment
    folder: Path
    number: int
    seed: int
    device: str
    pruning: Halving | None

    @property
    def title(self) -> str:
        """The model and the number."""
        return f"{self.plan.entry.name}, trial {self.number}"

    def stopped(self, reason: str) -> str:
        """Return the line of a trial that could not be brought to its end."""
        goes_on = "it stays open, and the same command goes on with it"
        return f"{self.title} was stopped: {reason}; {goes_on}"

    @property
    def key(self) -> str:
        """A name that no trial of another study has."""
        return f"{self.plan.entry.name} {self.folder.name} trial {self.number}"

    def run(self, dataset: Dataset) -> Trial:
        """Return the trial, ended and written down.

        It goes on from its last checkpoint; one that has ended is not trained again.

        Raises:
            BusyError: another process is at it, as one that outlives its command for a moment.
            DamagedError: a file is not what was written.
            BenchmarkError: it could not be brought to its end, and stays open.
        """
        with _open_where_it_fails(self), locked(trial_file(self.folder, self.number), wait=2):
            trial = trials_in(self.folder)[self.number]
            if trial.state == "open":
                trial = self._ended(trial, dataset)
                write_trial(self.folder, trial)
            return trial

    def _ended(self, trial: Trial, dataset: Dataset) -> Trial:
        """Train and measure; settings that are no good make a trial that failed."""
        kind = self.plan.entry.load()
        with blaming(f"model '{self.plan.entry.name}' cannot be made"):
            device = resolve_device(self.device, kind(self.plan.settings))
        validation = _Validation(HarnessValidation(dataset, self.plan.tasks))
        watch = _Watch(trial, validation, self)
        context = TrainingContext(
            self.plan.tasks,
            self.seed,
            device,
            RunLog(title=f"{self.plan.entry.name} trial {self.number}"),
            checkpoints_of(self.folder, self.number),
            common_of(self.folder),
            identity=json.dumps([self.folder.name, self.number, trial.settings]),
            watch=watch,
        )
        try:
            with blaming("training failed"), subnormals_flushed():
                model = _made(kind, {**asdict(self.plan.settings), **trial.settings})
                plan = replace(self.plan, settings=model.settings)
                check_room(plan, Sizes.of(dataset), device)
                validation.model = model
                model.fit(dataset.train, validation, context)
            if watch.trial.state == "open":  # else the model has swallowed the error
                measured = validation.whole.measure(model)
                return watch.trial.measured(measured, watch.seconds())
        except PrunedError:
            pass
        except (RefusedError, DivergedError) as error:
            return watch.trial.failed(str(error), watch.seconds())
        return watch.trial


def attempt_on(attempt: Attempt, load: Callable[[], Dataset]) -> Trial:
    """Return a trial, ended and written down, where the data are still to be loaded.

    Raises:
        BenchmarkError: the data or the code are not those of the search, or as of
            :meth:`Attempt.run`.
    """
    dataset = load()
    if begin(attempt.plan, dataset, attempt.seed, attempt.pruning).name != attempt.folder.name:
        raise BenchmarkError(
            f"{attempt.title}: this machine has another version of the code or of the data than the"
            " one that planned it"
        )
    return attempt.run(dataset)


class _Validation:
    """The harness's validation, which knows whether it was the trial's own model that it measured.

    Attributes:
        whole: measures.
        model: the trial's.
        latest: what the last measurement gave, empty where it was of another model: one that is
            only a part of the trial's is no sign of what the trial comes to.
    """

    def __init__(self, whole: HarnessValidation) -> None:
        self.whole = whole
        self.model: Model | None = None
        self.latest: dict[str, float] = {}

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.whole.tasks

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        measured = self.whole.measure(model, limit)
        self.latest = measured if model is self.model else {}
        return measured


class _Watch:
    """Writes down how far a trial has come, and ends it where others did better.

    A trial is judged by its first training that is validated as the trial is: by the trial's own
    model, on all tasks. So neither a part with a curve of its own counts, nor what follows for one
    task alone.

    Attributes:
        trial: as it is on the disk.
    """

    def __init__(self, trial: Trial, validation: _Validation, attempt: Attempt) -> None:
        self.trial = trial
        self._validation, self._attempt = validation, attempt
        self._before, self._begun = trial.seconds, time.monotonic()

    def seconds(self) -> float:
        """Return what the trial has taken so far."""
        return self._before + time.monotonic() - self._begun

    def __call__(self, validated: Validated) -> None:
        with owning():  # a model's training calls it
            if validated.measured == self._validation.latest and self._is_judged(validated):
                self._note(validated)
            if self.trial.state == "pruned":
                raise PrunedError(f"{self._attempt.title} was pruned")

    def _is_judged(self, validated: Validated) -> bool:
        return not self.trial.curve or self.trial.curve[0].training == validated.name

    def _note(self, validated: Validated) -> None:
        name, step, measured = validated.name, validated.step, validated.measured
        percent = int(100 * validated.behind)
        point = Point(name, step, percent, measured, self.seconds())
        # Of a training taken up from before its last validation, that one comes again.
        before = (earlier for earlier in self.trial.curve if earlier.step < step)
        self.trial = replace(self.trial, curve=(*before, point), seconds=point.seconds)
        if not validated.ends and self._is_beaten():
            self.trial = self.trial.pruned()
        write_trial(self._attempt.folder, self.trial)

    def _is_beaten(self) -> bool:
        pruning = self._attempt.pruning
        if pruning is None or self.trial.number == 1:
            return False
        return pruning.prunes(self.trial.curve, self._others())

    def _others(self) -> Iterator[tuple[Point, ...]]:
        for number, trial in trials_in(self._attempt.folder).items():
            if number != self.trial.number:
                yield trial.curve


@contextmanager
def _open_where_it_fails(attempt: Attempt) -> Iterator[None]:
    """Tell in one line what stopped a trial."""
    try:
        with owning():
            yield
    except BenchmarkError as error:
        error.args = (attempt.stopped(str(error)),)
        raise


def _made(kind: type[Model], settings: dict[str, Any]) -> Model:
    """Return a model of these settings.

    Raises:
        RefusedError: the model cannot work with them.
    """
    try:
        return kind(kind.Settings(**settings))
    except (InputError, ValueError) as error:
        raise RefusedError(str(error)) from error

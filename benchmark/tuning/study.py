"""Studies: trials of models' settings, each trained anew and measured on validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.engine.engine import Engine
from benchmark.engine.in_process import InProcess
from benchmark.engine.work import Outcome, Work
from benchmark.errors import BenchmarkError, InputError, NoRoomError
from benchmark.locks import locked
from benchmark.running.plan import Experiment
from benchmark.settings import settings_from_json
from benchmark.tuning.attempt import Attempt, attempt_on
from benchmark.tuning.begin import begin, plain_settings, space_for
from benchmark.tuning.open_study import OpenStudy
from benchmark.tuning.proposing import propose
from benchmark.tuning.pruning import HALVING, Halving
from benchmark.tuning.published import PUBLISHED
from benchmark.tuning.stored import Study, Trial, stored_studies, study_folder

__all__ = ["Crew", "SearchOptions", "Study", "Trial", "find_study", "tune", "tuned"]


@dataclass(frozen=True)
class SearchOptions:
    """What is the same for all models of a search.

    Attributes:
        trials: how many in all, 1 or more. A model without anything to search has one.
        seed: of the searches and of each training.
        device: ``auto``, ``cpu`` or ``cuda``.
        pruning: the rule by which trials end early, ``None`` where none does.
    """

    trials: int
    seed: int = 1
    device: str = "auto"
    pruning: Halving | None = HALVING


@dataclass(frozen=True)
class Crew:
    """Processes that bring trials to their ends.

    Attributes:
        engine: has them.
        load: loads the data there; it is pickled.
    """

    engine: Engine
    load: Callable[[], Dataset]


def tune(
    plans: Sequence[Experiment],
    dataset: Dataset,
    options: SearchOptions,
    results: Path,
    tell: Callable[[str], object],
    crew: Crew | None = None,
) -> Iterator[Study]:
    """Search until each study has its trials, and yield each study that has.

    Trials that are stored already count, and those that were at work go on. The first trial has the
    settings as planned, the others are proposed after those so far, each when there is a place for
    it. A study that cannot go on leaves the others alone.

    With one place the same search comes to the same trials, however often it is interrupted. With
    more it need not: what is known when a trial is proposed or judged hangs on who is faster.

    Args:
        plans: where the searches start, one for each model.
        dataset: the data; only its training events and validation requests are used.
        options: how to search.
        results: the folder that holds ``tuning/``.
        tell: gets a line after each trial.
        crew: brings the trials to their ends; without, this process does.

    Raises:
        BusyError: another process is at one of the studies.
        DamagedError: a study or a checkpoint is not what was written.
        BenchmarkError: a trial could not be brought to its end, or a first one failed; of several
            such errors the first, and ``tell`` got the others. Where it is that a later trial
            needs more memory than there is, the others were brought to their ends.
    """
    with ExitStack() as stack:
        searches = []
        for plan in plans:
            study = begin(plan, dataset, options.seed, options.pruning)
            folder = study_folder(results, study)
            stack.enter_context(locked(folder, wait=0))
            searches.append(_Search(plan, options, OpenStudy(folder, study)))
        yield from _Searches(searches, crew, dataset, tell).studies()


class _Search:
    """The search over one model's settings: which trial is next, and what has ended.

    Attributes:
        running: the numbers of trials that somebody is at.
        error: the first that a trial ended with and that leaves it open.
    """

    def __init__(self, plan: Experiment, options: SearchOptions, study: OpenStudy) -> None:
        self._plan, self._options, self._open = plan, options, study
        self._space = space_for(plan)
        self._put_off: set[int] = set()
        self._stopped: BenchmarkError | None = None
        self.running: set[int] = set()
        self.error: BenchmarkError | None = None

    @property
    def study(self) -> Study:
        """The study as it is stored."""
        return self._open.study

    @property
    def next_number(self) -> int | None:
        """The number of a trial that nobody is at, ``None`` where there is none left."""
        if self._stopped is not None:
            return None
        trials, taken = self._open.trials.values(), self.running | self._put_off
        left = [t.number for t in trials if t.state == "open" and t.number not in taken]
        number = min([*left, self._open.next_number()])
        return number if number <= (self._options.trials if self._space else 1) else None

    def begin(self, number: int) -> Attempt:
        """Return a trial to be brought to its end, planned anew or as it was once."""
        if number not in self._open.trials:
            self._open.plan(self._proposed(number))
        self.running.add(number)
        options = self._options
        return Attempt(
            self._plan,
            self._open.folder.absolute(),  # for processes elsewhere
            number,
            options.seed,
            options.device,
            options.pruning,
        )

    def fail(self, number: int, error: BenchmarkError) -> None:
        """Go on without a trial that this machine has no room for; after anything else, stop."""
        self.error = self.error or error
        if isinstance(error, NoRoomError) and number > 1:
            self._put_off.add(number)
        else:
            self._stopped = error

    def close(self) -> None:
        """Remove what only trials at work need."""
        self._open.close()

    def _proposed(self, number: int) -> dict[str, Any]:
        if number > 1:
            trials = [*self._open.trials.values()]
            return propose(self._space, self._options.seed, number, trials)
        settings = asdict(self._plan.settings)
        return {name: settings[name] for name in self._space}

    def take(self, trial: Trial) -> str:
        """Store a trial that has ended, and return a line that tells of it.

        Raises:
            BenchmarkError: it is the first one and failed.
        """
        if trial.number == 1 and trial.state == "failed":
            self._open.forget(1)
            raise BenchmarkError(
                f"{self._plan.entry.name}: the settings that the search starts from fail:"
                f" {trial.failure}; --set or --preset starts from others"
            )
        self._open.take(trial)
        parts = filter(None, (trial.told(), trial.chosen()))
        return f"{self._plan.entry.name}, trial {trial.number}: {', '.join(parts)}"


class _Searches:
    """The searches of a command, whose trials share the places of an engine.

    Args:
        searches: one for each model.
        crew: brings trials to their ends, or this process does.
        dataset: for this process.
        tell: takes a line for a person.
    """

    def __init__(
        self,
        searches: Sequence[_Search],
        crew: Crew | None,
        dataset: Dataset,
        tell: Callable[[str], object],
    ) -> None:
        self._searches, self._dataset, self._tell = searches, dataset, tell
        self._crew = crew
        self._engine = InProcess() if crew is None else crew.engine
        self._begun: dict[str, tuple[_Search, Attempt]] = {}

    def studies(self) -> Iterator[Study]:
        """Yield each study when it has its trials."""
        for search in self._searches:
            if search.next_number is None:
                search.close()
                yield search.study
        for outcome in self._engine.finished(self._supply):
            search, attempt = self._begun.pop(outcome.key)
            search.running.discard(attempt.number)
            try:
                self._tell(search.take(self._ended(outcome, attempt)))
            except BenchmarkError as error:
                search.fail(attempt.number, error)
                if any(each.running or each.next_number for each in self._searches):
                    self._tell(f"{error}; the other trials go on")
            if not search.running and search.next_number is None and search.error is None:
                search.close()
                yield search.study
        for search in self._searches:
            if search.error is not None:
                raise search.error

    def _supply(self) -> None:
        """Begin as many trials as there are places for."""
        engine = self._engine
        while engine.left() < max(1, engine.places()):
            ready = [search for search in self._searches if search.next_number is not None]
            if not ready:
                return
            # With one place a study is brought to its end before the next one.
            search = min(ready, key=lambda search: len(search.running))
            number = search.next_number
            assert number is not None
            attempt = search.begin(number)
            self._begun[attempt.key] = search, attempt
            engine.submit(self._work(attempt))

    def _work(self, attempt: Attempt) -> Work:
        if self._crew is None:
            return Work(attempt.key, Attempt.run, (attempt, self._dataset))
        module = attempt.plan.entry.source.partition(":")[0]
        return Work(attempt.key, attempt_on, (attempt, self._crew.load), imports=(module,))

    def _ended(self, outcome: Outcome, attempt: Attempt) -> Trial:
        """Return the trial that an outcome tells of.

        Raises:
            BenchmarkError: it has not ended.
        """
        if outcome.failure is None:
            trial: Trial = outcome.value
            if self._crew is not None and outcome.log is not None:
                outcome.log.unlink(missing_ok=True)  # what it said is in the study
            return trial
        if isinstance(outcome.value, BenchmarkError):
            raise outcome.value
        told = outcome.failure
        if not told.startswith(attempt.title):  # what killed it, rather than what it said
            told = attempt.stopped(told)
        raise BenchmarkError(f"{told}; log: {outcome.log}")


def find_study(
    results: Path,
    plan: Experiment,
    dataset: Dataset,
    notify: Callable[[str], object] | None = None,
) -> Study:
    """Return the largest stored study that started from the plan, the newest of several.

    Args:
        results: the folder that holds ``tuning/``, and what is published in ``published/tuning/``.
        plan: where the search started.
        dataset: what was searched on.
        notify: gets a line for each study that is left out, as it is damaged.

    Raises:
        InputError: there is none.
    """
    name, wanted = plan.entry.name, (plain_settings(plan.settings), dataset.digest)
    left_out: list[str] = []
    found = [
        (len(study.trials), file.stat().st_mtime, study)
        for place in (results, results / PUBLISHED)
        for file, study in stored_studies(place, dataset.name, name, left_out.append)
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


def tuned(
    plan: Experiment,
    dataset: Dataset,
    results: Path,
    notify: Callable[[str], object] | None = None,
) -> Experiment:
    """Return the plan with the settings that :func:`find_study`'s search chose.

    Raises:
        InputError: there is no such search.
    """
    study = find_study(results, plan, dataset, notify)
    chosen = replace(plan.settings, **study.best.settings)
    return replace(plan, settings=chosen, tuning=study.chosen())


def _usable(file: Path, study: Study, kind: type, notify: Callable[[str], object]) -> bool:
    """Return whether the model takes what the study chose."""
    try:
        settings_from_json(kind, {**study.base, **study.best.settings})
    except InputError as error:
        notify(f"{file}: {error}")
        return False
    return True

"""A study while a command is at it: what has ended, and what is at work.

Each trial at work has a file of its own, written when it is planned, at each of its validations
and when it has ended, by whoever trains it. The command then moves it into ``study.json``, and
never back: where a kill left it in both, ``study.json`` counts. Trials that end while the first is
still at work wait in their files, as a study without its preset is none. So whatever is killed at
whatever moment, each trial is in one place with the settings and the number that it was planned
with.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from benchmark.errors import InputError
from benchmark.folders import discard
from benchmark.tuning.stored import Study, read_study, write_study
from benchmark.tuning.trials import Settings, Trial, read_trial, trial_files, write_trial

__all__ = ["OpenStudy", "checkpoints_of", "common_of", "trials_in"]


def checkpoints_of(folder: Path, number: int) -> Path:
    """Return where a trial keeps its checkpoints."""
    return folder / "checkpoints" / str(number)


def common_of(folder: Path) -> Path:
    """Return where the steps lie that trials of a study have in common."""
    return folder / "checkpoints" / f"common-{folder.name}"


def trials_in(folder: Path) -> dict[int, Trial]:
    """Return all trials in the folder of a study by number, ended or not.

    Raises:
        DamagedError: a file is not what was written.
        InputError: a file cannot be read.
    """
    own = [_read_unless_moved(folder, number) for number in trial_files(folder)]
    study = read_study(folder)  # after them: where a file has gone, its trial is in here
    stored = () if study is None else study.trials
    trials = {trial.number: trial for trial in (*own, *stored) if trial is not None}
    return dict(sorted(trials.items()))


def _read_unless_moved(folder: Path, number: int) -> Trial | None:
    try:
        return read_trial(folder, number)
    except InputError:
        if number in trial_files(folder):
            raise
        return None


class OpenStudy:
    """A study that one command is at, which holds the lock of its folder.

    Args:
        folder: of the study.
        begun: the study without any trial.

    Attributes:
        trials: by number, those planned or at work as well.
    """

    def __init__(self, folder: Path, begun: Study) -> None:
        self.folder, self._begun = folder, begun
        self.trials = trials_in(folder)
        if 1 in self.trials and self.trials[1].state == "failed":
            self.forget(1)  # a kill came before the command could say so, and it is tried again
        self._store()

    @property
    def study(self) -> Study:
        """The study with all trials that are stored in it: none before the first is complete."""
        ended = tuple(t for _, t in sorted(self.trials.items()) if t.state != "open")
        whole = bool(ended) and (ended[0].number, ended[0].state) == (1, "complete")
        return replace(self._begun, trials=ended if whole else ())

    def next_number(self) -> int:
        """Return the lowest number that no trial has."""
        return next(n for n in range(1, len(self.trials) + 2) if n not in self.trials)

    def plan(self, settings: Settings) -> Trial:
        """Return the next trial, which is written down with its settings.

        Raises:
            InputError: it cannot be written.
        """
        trial = Trial(self.next_number(), settings)
        write_trial(self.folder, trial)
        self.trials[trial.number] = trial
        return trial

    def take(self, trial: Trial) -> None:
        """Store a trial that has ended.

        Raises:
            InputError: it cannot be written.
        """
        self.trials[trial.number] = trial
        self._store()

    def forget(self, number: int) -> None:
        """Take away a trial, as if it had never been planned.

        Raises:
            InputError: it cannot be removed.
        """
        self.trials.pop(number)
        self._clear([number])

    def close(self) -> None:
        """Remove what trials have in common, unless one is left open."""
        if not any(trial.state == "open" for trial in self.trials.values()):
            if common_of(self.folder).exists():
                discard(common_of(self.folder))
            self._clear([])

    def _store(self) -> None:
        study, on_disk = self.study, read_study(self.folder)
        if study.trials and study != on_disk:
            write_study(self.folder, study)
        self._clear([trial.number for trial in study.trials])

    def _clear(self, numbers: list[int]) -> None:
        """Remove the files and checkpoints of trials that are at work no more."""
        files = trial_files(self.folder)
        for number in numbers:
            if number in files:
                files[number].unlink(missing_ok=True)
            if checkpoints_of(self.folder, number).exists():
                discard(checkpoints_of(self.folder, number))
        for place in ("trials", "checkpoints"):
            with suppress(OSError):
                (self.folder / place).rmdir()

"""Trials: settings that were tried, how far their training came, and what it came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from benchmark.sealed import DamagedError, read_sealed, write_sealed
from benchmark.type_faults import first_fault

__all__ = [
    "LONGEST",
    "STRICT",
    "Measure",
    "Point",
    "Seconds",
    "Settings",
    "Trial",
    "mean",
    "read_trial",
    "trial_file",
    "trial_files",
    "write_trial",
]

STRICT = ConfigDict(strict=True, extra="forbid")
LONGEST = 2**26
"""Bytes of a file that is read; thousands of trials need less."""

Measure = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=1)]
_Scalar = bool | int | FiniteFloat | str | None
Settings = dict[str, _Scalar | tuple[_Scalar, ...]]


def mean(measured: Mapping[str, float]) -> float:
    """Return the mean of measures by task, 0 where there is none."""
    return sum(measured.values()) / max(len(measured), 1)


@dataclass(frozen=True, config=STRICT)
class Point:
    """A point of a validation curve.

    Attributes:
        training: the name of what was trained.
        step: steps of the optimiser behind it.
        percent: how much of its budget the training has behind it, from 0 to 100.
        by_task: validation NDCG@10, on the requests that this training validates on.
        seconds: that the trial had taken.
    """

    training: str
    step: _Count
    percent: Annotated[int, Field(ge=0, le=100)]
    by_task: Annotated[dict[str, Measure], Field(min_length=1)]
    seconds: Seconds

    @property
    def value(self) -> float:
        """The mean over the tasks."""
        return mean(self.by_task)


@dataclass(frozen=True, config=STRICT)
class Trial:
    """One trial.

    Attributes:
        number: from 1, which is the preset.
        settings: the values that are tried.
        state: ``open`` until it has ended: ``complete``, ``pruned``, or ``failed`` where the
            settings are no good.
        value: mean validation NDCG@10 over the tasks, on all requests; of a pruned trial the
            highest of its curve; ``None`` for one that is open or failed.
        by_task: the same by task.
        seconds: to train and to measure, without what kills have cost.
        failure: why the settings are no good, or "".
        curve: the validations of its training; empty for a model that has none.
    """

    number: _Count
    settings: Settings
    state: Literal["open", "complete", "pruned", "failed"] = "open"
    value: Measure | None = None
    by_task: dict[str, Measure] = Field(default_factory=dict)
    seconds: Seconds = 0.0
    failure: str = ""
    curve: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        if (self.value is None) != (self.state in ("open", "failed")):
            raise ValueError("a trial has a value if it is complete or pruned")
        if bool(self.failure) != (self.state == "failed"):
            raise ValueError("a trial has a failure if it failed")
        if self.state == "pruned" and not self.curve:
            raise ValueError("a pruned trial has a curve")
        steps = [point.step for point in self.curve]
        if steps != sorted(set(steps)) or len({p.training for p in self.curve}) > 1:
            raise ValueError("a curve is of one training, in the order of its steps")

    def measured(self, by_task: dict[str, float], seconds: float) -> Trial:
        """Return it complete."""
        return replace(
            self, state="complete", value=mean(by_task), by_task=by_task, seconds=seconds
        )

    def pruned(self) -> Trial:
        """Return it ended where its curve does, with the best of that."""
        best = max(self.curve, key=lambda point: point.value)
        return replace(self, state="pruned", value=best.value, by_task=best.by_task)

    def told(self) -> str:
        """Return in words what it came to."""
        if self.value is None:
            return f"{self.state} in {self.seconds:.1f} s"
        came_to = f"{self.value:.4f} in {self.seconds:.1f} s"
        if self.state == "pruned":
            return f"pruned at {self.curve[-1].percent} % of its budget, {came_to}"
        return came_to

    def chosen(self) -> str:
        """Return its settings in words, nothing where there was nothing to choose."""
        return ", ".join(f"{name}={_short(value)}" for name, value in self.settings.items())

    def failed(self, failure: str, seconds: float) -> Trial:
        """Return it as failed."""
        return replace(self, state="failed", failure=failure or "refused", seconds=seconds)


def trial_file(folder: Path, number: int) -> Path:
    """Return the file of a trial in the folder of its study."""
    return folder / "trials" / f"{number}.json"


def trial_files(folder: Path) -> dict[int, Path]:
    """Return the files of trials in the folder of a study, by number."""
    found = {file.stem: file for file in (folder / "trials").glob("[1-9]*.json")}
    return {int(n): file for n, file in found.items() if n.isdecimal() and n.isascii()}


def write_trial(folder: Path, trial: Trial) -> None:
    """Write a trial into a file of its own, ``trials/<number>.json``, sealed for its study.

    Args:
        folder: of the study, named like it.
        trial: is written.

    Raises:
        InputError: it cannot be written.
    """
    text = json.dumps(asdict(trial), indent=1, allow_nan=False) + "\n"
    write_sealed(trial_file(folder, trial.number), text.encode(), _owner(folder, trial.number))


def read_trial(folder: Path, number: int) -> Trial:
    """Read a trial from its own file.

    Raises:
        DamagedError: it is not what was written, or not possible.
        InputError: it cannot be read.
    """
    file = trial_file(folder, number)
    content = read_sealed(file, _owner(folder, number), LONGEST)
    try:
        trial = TypeAdapter(Trial).validate_json(content)
    except ValidationError as error:
        raise DamagedError(file, f"or of another version: {first_fault(error)}") from error
    if trial.number != number:
        raise DamagedError(file, "or of another trial")
    return trial


def _owner(folder: Path, number: int) -> str:
    return f"{folder.name}/{number}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

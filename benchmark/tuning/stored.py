"""Studies on disk: sealed, typed, and found by where they started."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from benchmark.errors import BenchmarkError
from benchmark.names import below
from benchmark.running.plan import TuningSummary
from benchmark.sealed import DamagedError, read_sealed, write_sealed
from benchmark.type_faults import first_fault

__all__ = ["Study", "Trial", "read_study", "stored_studies", "study_file", "write_study"]

_STRICT = ConfigDict(strict=True, extra="forbid")
_Measure = Annotated[float, Field(ge=0, le=1)]
_Scalar = bool | int | FiniteFloat | str | None
_LONGEST = 2**26
"""Bytes of a file that is read; thousands of trials need less."""


@dataclass(frozen=True, config=_STRICT)
class Trial:
    """One trial.

    Attributes:
        settings: the values that were tried.
        value: mean validation NDCG@10 over the tasks; ``None`` for a trial that failed.
        by_task: the same by task.
        seconds: to train and to measure.
        failure: why the settings are no good, or "".
    """

    settings: dict[str, _Scalar | tuple[_Scalar, ...]]
    value: _Measure | None
    by_task: dict[str, _Measure]
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    failure: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.failure):
            raise ValueError("a trial has either a value or a failure")


@dataclass(frozen=True, config=_STRICT)
class Study:
    """The trials of a model on a data set.

    Attributes:
        model: its name.
        preset: what the settings were filled from.
        base: all settings of the first trial, which are those of the preset.
        dataset: the data set's name, and ``dataset_digest``.
        tasks: what is trained for and measured.
        seed: of the search and of every training.
        space: what was searched, by setting.
        code: digest of the source code: the model's, the harness's and the search's.
        trials: in their order; the first has a value.
        schema: version of the file's form.
    """

    model: str
    preset: str
    base: dict[str, Any]
    dataset: str
    dataset_digest: str
    tasks: tuple[str, ...]
    seed: Annotated[int, Field(ge=0)]
    space: dict[str, Any]
    code: str
    trials: tuple[Trial, ...] = ()
    schema: Literal[2] = 2

    def __post_init__(self) -> None:
        if any(trial.settings.keys() != self.space.keys() for trial in self.trials):
            raise ValueError("a trial has other settings than the space")
        tuples = ((n, v) for t in self.trials for n, v in t.settings.items() if type(v) is tuple)
        if any([*v] not in (self.base.get(n), *_choices(self.space[n])) for n, v in tuples):
            raise ValueError("a trial has several values where the space has one")
        if self.trials and self.trials[0].value is None:
            raise ValueError("the first trial has no value")

    @property
    def name(self) -> str:
        """``<preset>-s<seed>-<12 hex digits>`` of everything but the trials."""
        left_out = ("trials", "preset", "schema")
        decisive = {k: v for k, v in asdict(self).items() if k not in left_out}
        text = json.dumps(decisive, sort_keys=True)
        return f"{self.preset}-s{self.seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def best(self) -> Trial:
        """The trial with the highest value, the earliest of several."""
        return max(self.trials, key=lambda trial: -1.0 if trial.value is None else trial.value)

    def chosen(self) -> TuningSummary:
        """Return what a run has to know of the search that chose its settings."""
        decisive = json.dumps([self.name, len(self.trials), self.best.settings], sort_keys=True)
        summary = {
            "study": self.name,
            "trials": len(self.trials),
            "seed": self.seed,
            "space": self.space,
            "chosen": self.best.settings,
            "validation": self.best.value,
            "values": [trial.value for trial in self.trials],
            "seconds": round(sum(trial.seconds for trial in self.trials), 1),
        }
        return TuningSummary(hashlib.sha256(decisive.encode()).hexdigest()[:12], summary)


def _choices(dimension: object) -> list[Any]:
    """Return what a dimension offers, as the file tells it; nothing for a range."""
    values = dimension.get("values") if isinstance(dimension, dict) else None
    return values if isinstance(values, list) else []


def study_file(results: Path, study: Study) -> Path:
    """Return where a study lies: ``tuning/<dataset>/<model>/<name>/study.json``."""
    folder = below(results / "tuning", study.dataset, study.model, study.name)
    return folder / "study.json"


def write_study(file: Path, study: Study) -> None:
    """Write a study in its place, sealed.

    Raises:
        InputError: it cannot be written.
    """
    text = json.dumps(asdict(study), indent=1, allow_nan=False) + "\n"
    write_sealed(file, text.encode(), file.parent.name)


def read_study(file: Path) -> Study:
    """Read a study from its place.

    Raises:
        DamagedError: it is not what was written, or not possible.
        InputError: it cannot be read.
    """
    content = read_sealed(file, file.parent.name, _LONGEST)
    try:
        study = TypeAdapter(Study).validate_json(content)
    except ValidationError as error:
        raise DamagedError(file, f"or of another version: {first_fault(error)}") from error
    if study.name != file.parent.name or not study.trials:
        raise DamagedError(file, "or of another search")
    return study


def stored_studies(
    results: Path, dataset: str, model: str, notify: Callable[[str], object]
) -> Iterator[tuple[Path, Study]]:
    """Yield the studies of a model on a data set; ``notify`` gets a line for each left out."""
    for file in sorted(below(results / "tuning", dataset, model).glob("*/study.json")):
        study = _read_or_told(file, notify)
        if study is not None:
            yield file, study


def _read_or_told(file: Path, notify: Callable[[str], object]) -> Study | None:
    try:
        return read_study(file)
    except BenchmarkError as error:
        notify(str(error))
        return None

"""Studies on disk: sealed, typed, and found by where they started."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from benchmark.bounded_json import parse_json
from benchmark.errors import BenchmarkError
from benchmark.names import below
from benchmark.running.plan import TuningSummary
from benchmark.sealed import DamagedError, read_sealed, write_sealed
from benchmark.tuning.pruning import Halving, seconds_saved
from benchmark.tuning.trials import LONGEST, STRICT, Trial
from benchmark.type_faults import first_fault

__all__ = ["Study", "Trial", "read_study", "stored_studies", "study_folder", "write_study"]

_FILE = "study.json"


@dataclass(frozen=True, config=STRICT)
class Study:
    """The trials of a model on a data set that have ended.

    Attributes:
        model: its name.
        preset: what the settings were filled from.
        base: all settings of the first trial, which are those of the preset.
        dataset: the data set's name, and ``dataset_digest``.
        tasks: what is trained for and measured.
        seed: of the search and of every training.
        space: what was searched, by setting.
        code: digest of the source code: the model's, the harness's and the search's.
        pruning: the rule by which trials end early, ``None`` where none does.
        trials: in the order of their numbers; the first is the preset and complete.
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
    pruning: Halving | None = None
    trials: tuple[Trial, ...] = ()
    schema: Literal[3] = 3

    def __post_init__(self) -> None:
        if any(trial.settings.keys() != self.space.keys() for trial in self.trials):
            raise ValueError("a trial has other settings than the space")
        tuples = ((n, v) for t in self.trials for n, v in t.settings.items() if type(v) is tuple)
        if any([*v] not in (self.base.get(n), *_choices(self.space[n])) for n, v in tuples):
            raise ValueError("a trial has several values where the space has one")
        numbers = [trial.number for trial in self.trials]
        if numbers != sorted(set(numbers)):
            raise ValueError("its trials are not in the order of their numbers")
        if numbers and (numbers[0], self.trials[0].state) != (1, "complete"):
            raise ValueError("the first trial has no value")
        if any(trial.state == "open" for trial in self.trials):
            raise ValueError("a trial has not ended")

    @property
    def name(self) -> str:
        """``<preset>-s<seed>-<12 hex digits>`` of everything but the trials."""
        unset = {"pruning"} if self.pruning is None else set()
        decisive = asdict(replace(self, trials=()))
        left_out = {"trials", "preset", "schema", *unset}
        text = json.dumps({k: v for k, v in decisive.items() if k not in left_out}, sort_keys=True)
        return f"{self.preset}-s{self.seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def best(self) -> Trial:
        """The complete trial with the highest value, the earliest of several.

        A pruned one is none: see :mod:`benchmark.tuning.pruning`.
        """
        complete = [trial for trial in self.trials if trial.state == "complete"]
        return max(complete, key=lambda trial: trial.value or 0.0)

    def up_to(self, trials: int) -> Study:
        """Return it with the trials of numbers up to ``trials`` only."""
        return replace(self, trials=tuple(t for t in self.trials if t.number <= trials))

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
            "pruning": self.pruning and asdict(self.pruning),
            "pruned": [trial.number for trial in self.trials if trial.state == "pruned"],
            "seconds_saved": round(seconds_saved(self.trials), 1),
        }
        return TuningSummary(hashlib.sha256(decisive.encode()).hexdigest()[:12], summary)


def _choices(dimension: object) -> list[Any]:
    """Return what a dimension offers, as the file tells it; nothing for a range."""
    values = dimension.get("values") if isinstance(dimension, dict) else None
    return values if isinstance(values, list) else []


def study_folder(results: Path, study: Study) -> Path:
    """Return where a study lies: ``tuning/<dataset>/<model>/<name>``."""
    return below(results / "tuning", study.dataset, study.model, study.name)


def write_study(folder: Path, study: Study) -> None:
    """Write a study into its folder, as ``study.json``, sealed.

    Raises:
        InputError: it cannot be written.
    """
    text = json.dumps(asdict(study), indent=1, allow_nan=False) + "\n"
    write_sealed(folder / _FILE, text.encode(), folder.name)


def read_study(folder: Path) -> Study | None:
    """Read a study from its folder; ``None`` where none of its trials has been stored.

    Raises:
        DamagedError: it is not what was written, or not possible.
        InputError: it cannot be read.
    """
    file = folder / _FILE
    if not file.exists():
        return None
    content = read_sealed(file, folder.name, LONGEST)
    try:
        study = TypeAdapter(Study).validate_json(_of_schema_3(content))
    except ValidationError as error:
        raise DamagedError(file, f"or of another version: {first_fault(error)}") from error
    if study.name != folder.name or not study.trials:
        raise DamagedError(file, "or of another search")
    return study


def _of_schema_3(content: bytes) -> bytes:
    """Return a study of schema 2, whose trials all went to their end, in the form of schema 3.

    Anything else is returned as it is.
    """
    try:
        study = parse_json(content)
        if study["schema"] == 2:
            study["schema"] = 3
            for number, trial in enumerate(study["trials"], 1):
                trial |= {"number": number, "state": "failed" if trial["failure"] else "complete"}
            return json.dumps(study).encode()
    except (ValueError, LookupError, TypeError, RecursionError):
        pass  # what it is then, the types tell
    return content


def stored_studies(
    results: Path, dataset: str, model: str, notify: Callable[[str], object]
) -> Iterator[tuple[Path, Study]]:
    """Yield the studies of a model on a data set; ``notify`` gets a line for each left out."""
    for file in sorted(below(results / "tuning", dataset, model).glob(f"*/{_FILE}")):
        study = _read_or_told(file.parent, notify)
        if study is not None:
            yield file, study


def _read_or_told(folder: Path, notify: Callable[[str], object]) -> Study | None:
    try:
        return read_study(folder)
    except BenchmarkError as error:
        notify(str(error))
        return None

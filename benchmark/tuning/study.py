"""A study: trials of one model's settings, each trained anew and measured on validation."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError, InputError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.files import writing
from benchmark.model import Model, TrainingContext
from benchmark.names import below
from benchmark.run_log import RunLog
from benchmark.running.device import resolve_device
from benchmark.running.identity import code_digest
from benchmark.running.plan import Experiment, TuningSummary
from benchmark.search_space import Dimension, Range, space_of

__all__ = ["Study", "Trial", "find_study", "tune"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        settings: the values that were tried.
        value: mean validation NDCG@10 over the tasks; ``None`` for a trial that failed.
        by_task: the same by task.
        seconds: to train and to measure.
        failure: why it failed, or "".
    """

    settings: dict[str, Any]
    value: float | None
    by_task: dict[str, float]
    seconds: float
    failure: str = ""


@dataclass(frozen=True)
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
        trials: in their order.
    """

    model: str
    preset: str
    base: dict[str, Any]
    dataset: str
    dataset_digest: str
    tasks: tuple[str, ...]
    seed: int
    space: dict[str, Any]
    code: str
    trials: tuple[Trial, ...] = ()

    @property
    def name(self) -> str:
        """``<preset>-s<seed>-<12 hex digits>`` of everything but the trials."""
        decisive = {k: v for k, v in asdict(self).items() if k not in ("trials", "preset")}
        text = json.dumps(decisive, sort_keys=True)
        return f"{self.preset}-s{self.seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def best(self) -> Trial:
        """The trial with the highest value, the earliest of several.

        Raises:
            BenchmarkError: no trial has one.
        """
        done = [trial for trial in self.trials if trial.value is not None]
        if not done:
            reasons = "; ".join(sorted({trial.failure for trial in self.trials}))
            raise BenchmarkError(f"no trial of {self.model} succeeded: {reasons}")
        return max(done, key=lambda trial: trial.value or 0.0)

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


def tune(
    plan: Experiment,
    dataset: Dataset,
    trials: int,
    seed: int,
    device: str,
    results: Path,
    tell: Callable[[str], None],
) -> Study:
    """Search until the study has ``trials`` trials; trials that are stored already count.

    The first trial has the settings as planned, the others are Optuna's TPE sampler's (Bergstra et
    al. 2011). Each is written down as soon as it is done.

    Args:
        plan: where the search starts.
        dataset: the data; only its training events and validation requests are used.
        trials: how many in all, 1 or more. A model without anything to search has one.
        seed: of the search and of each training.
        device: ``auto``, ``cpu`` or ``cuda``.
        results: the folder that holds ``tuning/``.
        tell: gets a line after each trial.
    """
    kind, name = plan.entry.load(), plan.entry.name
    space = space_of(kind.Settings, kind.search_space)
    study = _begun(plan, dataset, seed, space)
    file = _file(results, study)
    if file.exists():
        study = _read(file)
    while len(study.trials) < (trials if space else 1):
        number = len(study.trials)
        chosen = _propose(study, space) if number else {}
        settings = {**asdict(plan.settings), **chosen}
        checkpoints = file.parent / "checkpoints" / str(number)
        where = resolve_device(device, kind(plan.settings))
        context = TrainingContext(plan.tasks, seed, where, RunLog(), checkpoints)
        trial = _try(kind, settings, dataset, context, list(space))
        study = replace(study, trials=(*study.trials, trial))
        _write(file, study)
        shutil.rmtree(file.parent / "checkpoints", ignore_errors=True)
        value = "failed" if trial.value is None else f"{trial.value:.4f}"
        tell(f"{name}, trial {number + 1}: {value} in {trial.seconds:.1f} s {trial.settings}")
    return study


def _begun(plan: Experiment, dataset: Dataset, seed: int, space: dict[str, Dimension]) -> Study:
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
        code_digest(plan.entry, __name__),
    )


def _plain(settings: Any) -> dict[str, Any]:
    """Return all settings as they come back from JSON, which has no tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return plain


def _try(
    kind: type[Model],
    settings: dict[str, Any],
    dataset: Dataset,
    context: TrainingContext,
    searched: list[str],
) -> Trial:
    """Train and measure once; values that the model refuses make a trial that failed."""
    started = time.monotonic()
    tried = {name: settings[name] for name in searched}
    validation = HarnessValidation(dataset, context.tasks)
    try:
        model = kind(kind.Settings(**settings))
        model.fit(dataset.train, validation, context)
        measured = validation.measure(model)
    except (BenchmarkError, ValueError) as error:
        return Trial(tried, None, {}, time.monotonic() - started, str(error))
    value = sum(measured.values()) / max(len(measured), 1)
    return Trial(tried, value, measured, time.monotonic() - started)


def _propose(study: Study, space: dict[str, Dimension]) -> dict[str, Any]:
    """Let Optuna choose after the trials so far.

    The sampler is made anew for each trial, so that a search that was interrupted goes on as it
    would have.
    """
    distributions = {name: _distribution(dimension) for name, dimension in space.items()}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=(study.seed * 100_003 + len(study.trials)) % 2**32)
    search = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in study.trials:
        # A preset's own values may lie outside of the space.
        inside = all(trial.settings[name] in dimension for name, dimension in space.items())
        if trial.value is not None and inside:
            past = optuna.trial.create_trial(
                params=trial.settings, distributions=distributions, value=trial.value
            )
            search.add_trial(past)
    return search.ask(distributions).params


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    if isinstance(dimension, Range):
        return optuna.distributions.FloatDistribution(
            dimension.low, dimension.high, log=dimension.log
        )
    return optuna.distributions.CategoricalDistribution(dimension.values)


def find_study(results: Path, plan: Experiment, dataset: Dataset) -> Study:
    """Return the largest stored study that started from the plan, the newest of several.

    Raises:
        InputError: there is none.
    """
    name, wanted = plan.entry.name, (_plain(plan.settings), dataset.digest)
    found = [
        (len(study.trials), file.stat().st_mtime, study)
        for file, study in _stored(results, dataset.name, name)
        if (study.base, study.dataset_digest) == wanted
        and study.tasks == tuple(map(str, plan.tasks))
    ]
    if not found:
        raise InputError(
            f"--tuned: no search over settings of {name} on {dataset.name} for these tasks"
            f" and this preset in {results / 'tuning'}; `python -m benchmark tune --model"
            f" {name}` with the same options makes one"
        )
    return max(found, key=lambda one: one[:2])[2]


def _stored(results: Path, dataset: str, model: str) -> Iterator[tuple[Path, Study]]:
    for file in sorted(_folder(results, dataset, model).glob("*/study.json")):
        yield file, _read(file)


def _folder(results: Path, dataset: str, model: str) -> Path:
    return below(results / "tuning", dataset, model)


def _file(results: Path, study: Study) -> Path:
    return below(results / "tuning", study.dataset, study.model, study.name) / "study.json"


def _write(file: Path, study: Study) -> None:
    text = json.dumps({"schema": SCHEMA_VERSION, **asdict(study)}, indent=1, allow_nan=False)
    with writing(file) as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")


def _read(file: Path) -> Study:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if values.pop("schema") != SCHEMA_VERSION:
            raise BenchmarkError(f"{file}: of another version of this package; delete it")
        trials = tuple(Trial(**trial) for trial in values.pop("trials"))
        return Study(**{**values, "tasks": tuple(values["tasks"]), "trials": trials})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchmarkError(f"{file}: damaged ({error}); delete it") from error

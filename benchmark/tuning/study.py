"""A study: trials of one model's settings, each trained anew and measured on validation.

Only what the settings are to blame for is a verdict on them, and stored: a model that refuses them
(:class:`RefusedError`), a training that diverges (:class:`DivergedError`). Whatever else fails is
no fault of theirs. It stops the search, and the trial stays open.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import optuna

from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError, DivergedError, InputError, RefusedError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.failures import blaming, owning
from benchmark.folders import discard
from benchmark.locks import locked
from benchmark.model import Model, TrainingContext
from benchmark.run_log import RunLog
from benchmark.running.device import resolve_device
from benchmark.running.identity import code_digest
from benchmark.running.plan import Experiment
from benchmark.search_space import Dimension, Range, space_of
from benchmark.settings import settings_from_json
from benchmark.subnormals import subnormals_flushed
from benchmark.tuning.stored import (
    Study,
    Trial,
    read_study,
    stored_studies,
    study_file,
    write_study,
)

__all__ = ["Study", "Trial", "find_study", "tune"]


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

    Raises:
        BusyError: another process is at the same study.
        DamagedError: the study or a checkpoint is not what was written.
        BenchmarkError: a trial could not be brought to its end, or the first one failed.
    """
    kind = plan.entry.load()
    space = space_of(kind.Settings, kind.search_space)
    study = _begun(plan, dataset, seed, space)
    file = study_file(results, study)
    with locked(file.parent, wait=0):
        if file.exists():
            study = read_study(file)
        while len(study.trials) < (trials if space else 1):
            study = _with_next_trial(study, plan, dataset, device, space, file)
            number, trial = len(study.trials), study.trials[-1]
            value = "failed" if trial.value is None else f"{trial.value:.4f}"
            tell(
                f"{study.model}, trial {number}: {value} in {trial.seconds:.1f} s {trial.settings}"
            )
        discard(file.parent / "checkpoints")  # of a process killed when it had stored a trial
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


def _with_next_trial(
    study: Study,
    plan: Experiment,
    dataset: Dataset,
    device: str,
    space: dict[str, Dimension],
    file: Path,
) -> Study:
    """Return the study with one more trial, which is stored."""
    number, kind = len(study.trials), plan.entry.load()
    settings = {**asdict(plan.settings), **(_propose(study, space) if number else {})}
    tried = {name: settings[name] for name in space}
    checkpoints = file.parent / "checkpoints"
    with blaming(f"model '{study.model}' cannot be made"):
        model = kind(plan.settings)
    context = TrainingContext(
        plan.tasks,
        study.seed,
        resolve_device(device, model),
        RunLog(title=f"{study.model} trial {number + 1}"),
        checkpoints / str(number),
        identity=json.dumps([study.name, number, tried]),
    )
    with _open_where_it_fails(f"{study.model}, trial {number + 1}"):
        trial = _try(kind, settings, tried, dataset, context)
    if number == 0 and trial.value is None:
        raise BenchmarkError(
            f"{study.model}: the settings that the search starts from fail: {trial.failure};"
            " --set or --preset starts from others"
        )
    study = replace(study, trials=(*study.trials, trial))
    write_study(file, study)
    discard(checkpoints)
    return study


@contextmanager
def _open_where_it_fails(trial: str) -> Iterator[None]:
    """Tell in one line what stopped a trial."""
    try:
        with owning():
            yield
    except BenchmarkError as error:
        reason = f"{error}; it stays open, and the same command goes on with it"
        error.args = (f"{trial} was stopped: {reason}",)
        raise


def _try(
    kind: type[Model],
    settings: dict[str, Any],
    tried: dict[str, Any],
    dataset: Dataset,
    context: TrainingContext,
) -> Trial:
    """Train and measure once; settings that are no good make a trial that failed."""
    started = time.monotonic()
    validation = HarnessValidation(dataset, context.tasks)
    try:
        with blaming("training failed"), subnormals_flushed():
            model = _made(kind, settings)
            model.fit(dataset.train, validation, context)
        measured = validation.measure(model)
    except (RefusedError, DivergedError) as error:
        return Trial(tried, None, {}, time.monotonic() - started, str(error) or "refused")
    value = sum(measured.values()) / max(len(measured), 1)
    return Trial(tried, value, measured, time.monotonic() - started)


def _made(kind: type[Model], settings: dict[str, Any]) -> Model:
    """Return a model of these settings.

    Raises:
        RefusedError: the model cannot work with them.
    """
    try:
        return kind(kind.Settings(**settings))
    except (InputError, ValueError) as error:
        raise RefusedError(str(error)) from error


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
                params={n: _coded(trial.settings[n], dimension) for n, dimension in space.items()},
                distributions=distributions,
                value=trial.value,
            )
            search.add_trial(past)
    drawn = search.ask(distributions).params
    return {name: _decoded(drawn[name], dimension) for name, dimension in space.items()}


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    if isinstance(dimension, Range):
        return optuna.distributions.FloatDistribution(
            dimension.low, dimension.high, log=dimension.log
        )
    return optuna.distributions.CategoricalDistribution(tuple(range(len(dimension.values))))


def _coded(value: Any, dimension: Dimension) -> Any:
    """Return a value as Optuna sees it: one of a choice by its place, since it may be a tuple."""
    return value if isinstance(dimension, Range) else dimension.values.index(value)


def _decoded(drawn: Any, dimension: Dimension) -> Any:
    return drawn if isinstance(dimension, Range) else dimension.values[drawn]


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

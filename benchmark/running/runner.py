"""One run: a model is trained, evaluated and recorded, or its stored run is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.data.evaluation_set import Protocol
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import HarnessValidation, TaskOutcome, evaluate
from benchmark.failures import blaming, owning
from benchmark.model import Model, TrainingContext
from benchmark.needs import Sizes
from benchmark.processes import ALONE, Processes
from benchmark.remarks import remark
from benchmark.results.record import RunRecord, shared_of, write_run
from benchmark.results.summary import summarise
from benchmark.results.table import RunTables, counts_table, top_table
from benchmark.run_log import RunLog
from benchmark.running.device import resolve_device
from benchmark.running.environment import (
    circumstances,
    environment,
    forget_peak,
    peak_memory_mib,
)
from benchmark.running.estimate import check_room
from benchmark.running.identity import RunIdentity
from benchmark.running.place import RunPlace
from benchmark.running.plan import Experiment
from benchmark.settings import build_settings
from benchmark.subnormals import subnormals_flushed
from benchmark.tracking import Trackers

__all__ = ["RunResult", "run_model"]

_PATIENCE = 2.0
"""Seconds to wait for another process that runs the same; it may be at its end."""


@dataclass(frozen=True)
class RunResult:
    """A run's record, and whether it was found instead of run."""

    record: RunRecord
    reused: bool


def run_model(
    plan: Experiment,
    dataset: Dataset,
    protocols: tuple[Protocol, ...],
    seed: int,
    device: str,
    results: Path,
    fresh: bool,
    common: Path | None = None,
    processes: Processes = ALONE,
    expected: str | None = None,
    trackers: Trackers | None = None,
) -> RunResult:
    """Train, evaluate and record a model, unless the same run is stored already.

    Several processes call this at the same time. Only the first one looks for what is stored, and
    writes; what comes out is the same in all of them.

    Args:
        plan: model, settings and tasks.
        dataset: the data.
        protocols: to be asked by.
        seed: of training.
        device: ``auto``, ``cpu`` or ``cuda``.
        results: the folder that holds ``runs/`` and ``checkpoints/``.
        fresh: run even though the run is stored, and forget its checkpoints.
        common: see :class:`TrainingContext`.
        processes: who makes the run.
        expected: the id that it was planned under, by whoever planned it.
        trackers: are told of what is trained.

    Raises:
        BusyError: another process is at the same run.
        NoRoomError: it cannot fit into the memory that there is.
        BenchmarkError: whatever else went wrong with this run, in one line that names model and
            seed.
    """
    with _naming(f"model {plan.title}, seed {seed}"), processes.together():
        kind = plan.entry.load()
        with blaming("it cannot be made"):
            model = kind(plan.settings)
        identity = RunIdentity.of(plan, dataset, protocols, seed, resolve_device(device, model))
        _check_planned(identity.run_id, expected)
        names = dataset.name, plan.entry.name, identity.run_id
        place = RunPlace.of(results, *names, fresh=fresh)
        if (stored := processes.once(place.found)) is not None:
            return RunResult(stored, reused=True)
        with place.alone(_PATIENCE) if processes.first else nullcontext():
            if (stored := processes.once(place.found_alone)) is not None:
                return RunResult(stored, reused=True)
            check_room(plan, Sizes.of(dataset), identity.device)
            forget_peak()
            told = trackers if trackers is not None and processes.first else Trackers()
            context = _context(plan, identity, place.checkpoints, common, processes, told)
            with _telling(told, identity) as tell_end:
                info, outcomes = _trained(plan, identity, model, dataset, context)
                record = processes.once(lambda: _written(place, info, outcomes, model, dataset))
                tell_end(info["metrics"])
            return RunResult(record, reused=False)


def _written(
    place: RunPlace,
    info: dict[str, Any],
    outcomes: list[TaskOutcome],
    model: Model,
    dataset: Dataset,
) -> RunRecord:
    """Write the record, and forget what led to it."""
    shared = shared_of(dataset, place.results, info["harness"])
    tables = RunTables(shared, counts_table(outcomes), top_table(outcomes))
    record = write_run(place.folder, info, tables, model)
    place.forget()
    return record


def _check_planned(run_id: str, expected: str | None) -> None:
    """Refuse a run that is not the one that was planned, before it takes any time.

    Raises:
        BenchmarkError: it is another one.
    """
    if expected not in (None, run_id):
        raise BenchmarkError(
            f"it would be run {run_id}, not {expected}; this machine has another version of the"
            " code or of the data than the one that planned it"
        )


def _context(
    plan: Experiment,
    identity: RunIdentity,
    checkpoints: Path,
    common: Path | None,
    processes: Processes,
    trackers: Trackers,
) -> TrainingContext:
    return TrainingContext(
        plan.tasks,
        identity.seed,
        identity.device,
        RunLog(title=f"{plan.title} seed {identity.seed}", trackers=trackers),
        checkpoints,
        common,
        identity.run_id,
        processes=processes,
    )


@contextmanager
def _telling(
    trackers: Trackers, identity: RunIdentity
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Tell trackers that a run begins, and that it is over: with its metrics, or that it failed."""
    trackers.begin(identity.run_id, asdict(identity))
    ended: list[dict[str, float]] = []

    def ends(metrics: dict[str, Any]) -> None:
        flat = {
            f"{task}/{protocol}/{name}": value
            for task, protocols in metrics.items()
            for protocol, means in protocols.items()
            for name, value in means.items()
            if value is not None
        }
        ended.append(flat)

    try:
        yield ends
    finally:
        trackers.end(ended[0] if ended else None)


@contextmanager
def _naming(whose: str) -> Iterator[None]:
    """Put in front of whatever goes wrong which run it was."""
    try:
        with owning():
            yield
    except BenchmarkError as error:
        error.args = (f"{whose}: {error}",)
        raise


def _trained(
    plan: Experiment,
    identity: RunIdentity,
    model: Model,
    dataset: Dataset,
    context: TrainingContext,
) -> tuple[dict[str, Any], list[TaskOutcome]]:
    """Train and ask a model; return what the record tells, and the answers.

    The first process does it alone where the model does not share its training.
    """
    processes = context.processes
    if processes.count > 1 and not model.shares_training:
        if processes.first:
            remark(f"{plan.title} shares no training among processes: one does it, the others wait")
        return processes.once(lambda: _trained(plan, identity, model, dataset, context))
    run_log = context.run_log
    validation = HarnessValidation(dataset, plan.tasks, processes)
    with run_log.phase("fit"), blaming("training failed"), subnormals_flushed():
        model.fit(dataset.train, validation, context)
    with run_log.phase("evaluate"):
        outcomes = evaluate(
            model,
            plan.entry.name,
            dataset,
            "test",
            plan.tasks,
            identity.protocols,
            run_log,
            processes=processes,
        )
    info = _info(identity, model, dataset, run_log, outcomes, processes.count)
    info["tuning"] = None if plan.tuning is None else plan.tuning.summary
    info["ablation"] = None if plan.ablation is None else asdict(plan.ablation)
    return info, outcomes


def _info(
    identity: RunIdentity,
    model: Model,
    dataset: Dataset,
    run_log: RunLog,
    outcomes: list[TaskOutcome],
    processes: int,
) -> dict[str, Any]:
    with blaming("its parameters cannot be counted"):
        parameters = model.parameters()
    with blaming("what it is given cannot be told"):
        given = model.given()
    return {
        "run": identity.run_id,
        **asdict(identity),
        "changed": _changed(identity, model),
        **circumstances(dataset),
        "sizes": Sizes.of(dataset).to_json(),
        "environment": environment(identity.device, processes),
        "phases": [asdict(phase) for phase in run_log.phases],
        "peak_memory_mib": peak_memory_mib(),
        "parameters": parameters,
        "given": None if given is None else asdict(given),
        "uses_seed": model.uses_seed,
        "curve": run_log.curve,
        "facts": run_log.facts,
        "metrics": summarise(outcomes, dataset),
    }


def _changed(identity: RunIdentity, model: Model) -> dict[str, Any]:
    """Return the settings that differ from those of the preset."""
    usual = asdict(build_settings(model.Settings, model.presets, identity.preset))
    return {name: value for name, value in identity.settings.items() if value != usual[name]}

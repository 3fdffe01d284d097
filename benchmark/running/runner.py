"""One run: a model is trained, evaluated and recorded, or its stored run is found."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import __version__
from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError, InputError
from benchmark.evaluation.evaluate import HarnessValidation, Protocol, TaskOutcome, evaluate
from benchmark.evaluation.metrics import compute
from benchmark.model import Model, TrainingContext
from benchmark.results.record import RunRecord, read_run, run_folder, write_run
from benchmark.results.table import to_table
from benchmark.run_log import RunLog
from benchmark.running.identity import RunIdentity
from benchmark.running.plan import Experiment
from benchmark.settings import build_settings

__all__ = ["RunResult", "circumstances", "cpu_name", "resolve_device", "run_model", "summarise"]

_RECORDED_PACKAGES = (
    "torch",
    "transformers",
    "sentence-transformers",
    "recbole",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "scikit-learn",
    "bm25s",
    "tokenizers",
)


@dataclass(frozen=True)
class RunResult:
    """A run's record, and whether it was found instead of run."""

    record: RunRecord
    reused: bool


def resolve_device(asked: str, model: Model) -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` takes a GPU where there is one and the model uses it.

    Raises:
        InputError: ``cuda`` was asked for, and there is none or the model does not use one.
    """
    if not model.uses_gpu:
        if asked == "cuda":
            raise InputError("--device cuda: the model computes on the CPU only; use --device auto")
        return "cpu"
    import torch

    if asked == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device is visible; use --device cpu")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


def run_model(
    plan: Experiment,
    dataset: Dataset,
    protocols: tuple[Protocol, ...],
    seed: int,
    device: str,
    results: Path,
    fresh: bool,
    common: Path | None = None,
) -> RunResult:
    """Train, evaluate and record a model, unless the same run is stored already.

    Args:
        plan: model, settings and tasks.
        dataset: the data.
        protocols: to be asked by.
        seed: of training.
        device: ``auto``, ``cpu`` or ``cuda``.
        results: the folder that holds ``runs/`` and ``checkpoints/``.
        fresh: run even though the run is stored, and forget its checkpoints.
        common: see :class:`TrainingContext`.
    """
    model = plan.entry.load()(plan.settings)
    identity = RunIdentity.of(plan, dataset, protocols, seed, resolve_device(device, model))
    folder = run_folder(results, dataset.name, plan.entry.name, identity.run_id)
    checkpoints = results / "checkpoints" / folder.relative_to(results / "runs")
    if fresh:
        shutil.rmtree(checkpoints, ignore_errors=True)
    elif folder.exists():
        try:
            return RunResult(read_run(folder), reused=True)
        except BenchmarkError as error:
            print(f"{error}; it is run again", file=sys.stderr)  # noqa: T201
    run_log = RunLog()
    context = TrainingContext(plan.tasks, seed, identity.device, run_log, checkpoints, common)
    with run_log.phase("fit"):
        model.fit(dataset.train, HarnessValidation(dataset, plan.tasks), context)
    with run_log.phase("evaluate"):
        outcomes = evaluate(model, plan.entry.name, dataset, "test", plan.tasks, protocols, run_log)
    info = _info(identity, model, dataset, run_log, outcomes)
    info["tuning"] = None if plan.study is None else plan.study.summary()
    info["ablation"] = None if plan.ablation is None else asdict(plan.ablation)
    events = np.bincount(dataset.train.log.item, minlength=len(dataset.items))
    record = write_run(folder, info, to_table(outcomes, events), model)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return RunResult(record, reused=False)


def _info(
    identity: RunIdentity,
    model: Model,
    dataset: Dataset,
    run_log: RunLog,
    outcomes: list[TaskOutcome],
) -> dict[str, Any]:
    return {
        "run": identity.run_id,
        **asdict(identity),
        "changed": _changed(identity, model),
        **circumstances(dataset),
        "environment": _environment(identity.device),
        "phases": [asdict(phase) for phase in run_log.phases],
        "peak_memory_mib": _peak_memory_mib(),
        "parameters": model.parameters(),
        "curve": run_log.curve,
        "facts": run_log.facts,
        "metrics": summarise(outcomes),
    }


def circumstances(dataset: Dataset) -> dict[str, str]:
    """Return the entries of ``run.json`` about the rules that held, our version and the time."""
    about = dataset.about
    return {
        "split": about.split,
        "leakage": about.leakage,
        "seen": about.seen,
        "version": __version__,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def summarise(outcomes: list[TaskOutcome]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return the means of all metrics by task and protocol, ``metrics`` of ``run.json``."""
    metrics: dict[str, dict[str, dict[str, float | None]]] = {}
    for outcome in outcomes:
        values = compute(outcome.ranks.greater, outcome.ranks.tied)
        means: dict[str, float | None] = {n: float(np.mean(v)) for n, v in values.items()}
        means["requests"] = len(outcome.evaluation.targets)
        means["seconds_per_request"] = outcome.seconds / max(len(outcome.evaluation.targets), 1)
        means["coverage@10"], means["popularity@10"] = outcome.coverage, outcome.popularity
        metrics.setdefault(str(outcome.task), {})[outcome.protocol] = means
    return metrics


def _changed(identity: RunIdentity, model: Model) -> dict[str, Any]:
    """Return the settings that differ from those of the preset."""
    usual = asdict(build_settings(model.Settings, model.presets, identity.preset))
    return {name: value for name, value in identity.settings.items() if value != usual[name]}


def _environment(device: str) -> dict[str, Any]:
    torch = sys.modules.get("torch")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads() if torch is not None else 1,
        "device": torch.cuda.get_device_name() if torch is not None and device == "cuda" else "cpu",
        "packages": {name: _version(name) for name in _RECORDED_PACKAGES},
    }


def _peak_memory_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def cpu_name() -> str:
    """Return what the processor calls itself; an empty string where nothing tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

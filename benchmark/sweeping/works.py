"""What a worker does for a sweep: prepare data, make a shared step, make a run.

A worker is told little and loads the data from the cache, where they are mapped into memory and so
the same for all processes of a machine.
"""

from __future__ import annotations

from pathlib import Path

from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.failures import blaming
from benchmark.model import TrainingContext
from benchmark.remarks import remark
from benchmark.run_log import RunLog
from benchmark.running.runner import run_model
from benchmark.subnormals import subnormals_flushed
from benchmark.sweeping.jobs import Job, Source

__all__ = ["make_run", "make_step", "prepare", "sees_gpu"]


def sees_gpu() -> bool:
    """Return whether works have a GPU."""
    import torch

    return torch.cuda.is_available()


def prepare(source: Source) -> str:
    """Prepare a data set, with its candidates, and return its digest."""
    return _loaded(source).digest


def make_step(job: Job, digest: str, common: Path) -> None:
    """Make a step that several runs share.

    Args:
        job: one of these runs.
        digest: of the step.
        common: the folder of all shared steps.

    Raises:
        BenchmarkError: it cannot be made, or the run has no such step here.
    """
    data, experiment = _loaded(job.source), job.experiment
    step = dict(job.shared_steps()).get(digest)
    if step is None:
        raise BenchmarkError(f"{job.title}: has other shared steps here; is this the same version?")
    context = TrainingContext(
        experiment.tasks,
        job.seed,
        job.device,
        RunLog(title=f"{step.name}, {data.name}"),
        common=common,
        identity="made for others",
    )
    with blaming(f"{step.name} cannot be made"), subnormals_flushed():  # as within a run
        step.make(data.train, HarnessValidation(data, experiment.tasks), context)


def make_run(job: Job, results: Path, common: Path) -> tuple[str, bool]:
    """Make a run; return its folder, and whether it was found there.

    Args:
        job: the run.
        results: the folder that holds ``runs/`` and ``checkpoints/``.
        common: the folder of shared steps.

    Raises:
        BenchmarkError: it failed, or another run would come out of the same request.
    """
    done = run_model(
        job.experiment,
        _loaded(job.source),
        job.protocols,
        job.seed,
        job.device,
        results,
        fresh=False,
        common=common,
        expected=job.run_id,
    )
    return str(done.record.folder), done.reused


def _loaded(source: Source) -> Dataset:
    return load_dataset(source.dataset, seen=source.seen, notify=remark, remind=False)

"""Experiment trackers: whoever is told of a run while it is made, beside the record.

A tracker is a class with three methods. Those of three services are here, a few lines each; any
other is named by ``package.module:Class``. What a tracker is told decides nothing of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

from benchmark.errors import BenchmarkError, InputError, did_you_mean
from benchmark.failures import blaming

__all__ = ["TRACKERS", "Tracker", "Trackers", "find_trackers"]


class Tracker(Protocol):
    """Is told of one run after the other."""

    def begin(self, run: str, about: Mapping[str, Any]) -> None:
        """Hear that a run begins: its id, and all that decides it, with ``settings`` by name."""
        ...

    def validated(self, point: Mapping[str, float]) -> None:
        """Hear of a validation: ``step``, ``seconds``, ``loss`` and NDCG@10 by task."""
        ...

    def end(self, metrics: Mapping[str, float] | None) -> None:
        """Hear of the test's metrics, ``rec/full/ndcg@10``; ``None`` where the run failed."""
        ...


class TensorBoard:
    """Writes into ``runs/`` of the working folder, where ``tensorboard --logdir runs`` looks."""

    def begin(self, run: str, about: Mapping[str, Any]) -> None:
        """Open a folder for the run."""
        from torch.utils.tensorboard import SummaryWriter

        self._step = 0
        self._writer: Any = SummaryWriter(f"runs/{about['model'].replace(':', '-')}-{run}")

    def validated(self, point: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        self._step = int(point.get("step", self._step + 1))
        for name in point.keys() - {"step", "seconds"}:
            self._writer.add_scalar(f"validation/{name}", point[name], self._step)

    def end(self, metrics: Mapping[str, float] | None) -> None:
        """Add the test's figures, and close."""
        for name, value in (metrics or {}).items():
            self._writer.add_scalar(f"test/{name}", value, self._step)
        self._writer.close()


class MLflow:
    """Logs to wherever ``MLFLOW_TRACKING_URI`` points."""

    def begin(self, run: str, about: Mapping[str, Any]) -> None:
        """Start a run with the settings as its parameters."""
        import mlflow

        self._mlflow: Any = mlflow
        mlflow.start_run(run_name=f"{about['model']} {run}")
        mlflow.log_params({**about["settings"], "seed": about["seed"], "data": about["dataset"]})

    def validated(self, point: Mapping[str, float]) -> None:
        """Log a point of each curve."""
        self._log(point, int(point.get("step", 0)))

    def end(self, metrics: Mapping[str, float] | None) -> None:
        """Log the test's figures, and end the run."""
        self._log(metrics or {}, None)
        self._mlflow.end_run("FINISHED" if metrics is not None else "FAILED")

    def _log(self, values: Mapping[str, float], step: int | None) -> None:
        named = {name.replace("@", "_at_"): value for name, value in values.items()}
        self._mlflow.log_metrics(named, step=step)


class WeightsAndBiases:
    """Logs to the project that ``WANDB_PROJECT`` names."""

    def begin(self, run: str, about: Mapping[str, Any]) -> None:
        """Start a run with all that decides it as its configuration."""
        import wandb

        self._run: Any = wandb.init(name=f"{about['model']} {run}", config=dict(about), reinit=True)

    def validated(self, point: Mapping[str, float]) -> None:
        """Log a point of each curve."""
        self._run.log(dict(point))

    def end(self, metrics: Mapping[str, float] | None) -> None:
        """Keep the test's figures as the summary, and finish."""
        self._run.summary.update(metrics or {})
        self._run.finish(exit_code=int(metrics is None))


class CodeCarbon:
    """Measures energy and emissions of each run, into ``emissions.csv`` of the working folder."""

    def begin(self, run: str, about: Mapping[str, Any]) -> None:
        """Start to measure."""
        from codecarbon import EmissionsTracker

        name = f"{about['model']} {run}"
        self._tracker: Any = EmissionsTracker(project_name=name, log_level="error")
        self._tracker.start()

    def validated(self, point: Mapping[str, float]) -> None:
        """Do nothing."""

    def end(self, metrics: Mapping[str, float] | None) -> None:
        """Write what was measured."""
        self._tracker.stop()


TRACKERS: dict[str, type[Tracker]] = {
    "tensorboard": TensorBoard,
    "mlflow": MLflow,
    "wandb": WeightsAndBiases,
    "codecarbon": CodeCarbon,
}


def find_trackers(names: Sequence[str]) -> Trackers:
    """Return the trackers of these names, one of :data:`TRACKERS` or ``package.module:Class``.

    Raises:
        InputError: there is no such tracker.
        BenchmarkError: it cannot be made.
    """
    return Trackers({name: _made(name) for name in names})


def _made(name: str) -> Tracker:
    module, colon, attribute = name.partition(":")
    if not colon and name not in TRACKERS:
        raise InputError(f"--track: unknown '{name}'{did_you_mean(name, TRACKERS)}")
    with blaming(f"tracker '{name}' cannot be made"):
        kind = getattr(import_module(module), attribute) if colon else TRACKERS[name]
        made: Tracker = kind()
    return made


@contextmanager
def _wanting(name: str) -> Iterator[None]:
    """Say how to get the package that a tracker stands for."""
    try:
        yield
    except ModuleNotFoundError as error:
        told = f"tracker '{name}' wants the package '{error.name}': pip install {error.name}"
        raise BenchmarkError(told) from error


class Trackers:
    """Tells several trackers the same; whatever one of them raises names it."""

    def __init__(self, by_name: Mapping[str, Tracker] | None = None) -> None:
        self._by_name = dict(by_name or {})

    def begin(self, run: str, about: Mapping[str, Any]) -> None:
        """Tell that a run begins."""
        for name, tracker in self._by_name.items():
            with blaming(f"tracker '{name}'"), _wanting(name):
                tracker.begin(run, about)

    def validated(self, point: Mapping[str, float]) -> None:
        """Tell of a validation."""
        for name, tracker in self._by_name.items():
            with blaming(f"tracker '{name}'"):
                tracker.validated(point)

    def end(self, metrics: Mapping[str, float] | None) -> None:
        """Tell that the run is over."""
        for name, tracker in self._by_name.items():
            with blaming(f"tracker '{name}'"):
                tracker.end(metrics)

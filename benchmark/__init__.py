"""Benchmark for models that serve search and recommendation together.

>>> import benchmark as sr
>>> runs = sr.run(["popularity", "bm25"], "ml-100k", seeds=1)  # doctest: +SKIP
>>> runs.leaderboard()  # doctest: +SKIP

Everything is imported when it is asked for, so that a command that needs little starts soon.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmark.version import __version__

if TYPE_CHECKING:
    from benchmark.api import metrics
    from benchmark.api.boards import Boards
    from benchmark.api.comparing import Comparisons, compare
    from benchmark.api.datasets import load
    from benchmark.api.listing import datasets, models
    from benchmark.api.models import UsableModel, build, load_model
    from benchmark.api.runs import Runs, read, run
    from benchmark.data.dataset import Dataset
    from benchmark.statistics import Tiers, tiers

__all__ = [
    "Boards",
    "Comparisons",
    "Dataset",
    "Runs",
    "Tiers",
    "UsableModel",
    "__version__",
    "build",
    "compare",
    "datasets",
    "load",
    "load_model",
    "metrics",
    "models",
    "read",
    "run",
    "tiers",
]

_HOMES = {
    "Boards": "benchmark.api.boards",
    "Comparisons": "benchmark.api.comparing",
    "Dataset": "benchmark.data.dataset",
    "Runs": "benchmark.api.runs",
    "Tiers": "benchmark.statistics",
    "UsableModel": "benchmark.api.models",
    "build": "benchmark.api.models",
    "compare": "benchmark.api.comparing",
    "datasets": "benchmark.api.listing",
    "load": "benchmark.api.datasets",
    "load_model": "benchmark.api.models",
    "models": "benchmark.api.listing",
    "read": "benchmark.api.runs",
    "run": "benchmark.api.runs",
    "tiers": "benchmark.statistics",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    if name == "metrics":
        return import_module("benchmark.api.metrics")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'benchmark' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Benchmark for models that serve search and recommendation together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset

__all__ = ["Dataset", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    if name == "Dataset":
        from benchmark.data.dataset import Dataset

        return Dataset
    raise AttributeError(f"module 'benchmark' has no attribute '{name}'")

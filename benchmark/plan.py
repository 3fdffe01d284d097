"""A model that is to be trained: which, with which settings, for which tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.data.requests import Task
    from benchmark.registry import ModelEntry
    from benchmark.tuning.study import Study

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """What is trained, before data and seed are known.

    Attributes:
        entry: the model, from the registry.
        settings: of the model's own kind.
        preset: the name that they were filled from.
        tasks: to train for and to be asked; the model serves all of them.
        study: the search that chose the settings, if one did.
    """

    entry: ModelEntry
    settings: Any
    preset: str
    tasks: tuple[Task, ...]
    study: Study | None = None

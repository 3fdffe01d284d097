"""What is to be trained: which model, with which settings, for which tasks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.data.requests import Task
    from benchmark.registry import ModelEntry

__all__ = ["Ablation", "Experiment", "TuningSummary"]


@dataclass(frozen=True)
class Ablation:
    """A part that a model is trained without.

    Attributes:
        name: as the model calls it.
        full: the changed settings, with the values that they have in the full model.
    """

    name: str
    full: dict[str, Any]


@dataclass(frozen=True)
class TuningSummary:
    """The search that chose an experiment's settings, as far as a run has to know of it.

    Attributes:
        digest: identifies the search and its outcome.
        summary: what the run record tells of it, as JSON values.
    """

    digest: str
    summary: dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """What is trained, before data and seed are known.

    Attributes:
        entry: the model, from the registry.
        settings: of the model's own kind.
        preset: the name that they were filled from.
        tasks: to train for and to be asked; the model serves all of them.
        tuning: the search that chose the settings, if one did.
        ablation: what the model is trained without, if anything.
    """

    entry: ModelEntry
    settings: Any
    preset: str
    tasks: tuple[Task, ...]
    tuning: TuningSummary | None = None
    ablation: Ablation | None = None

    @property
    def title(self) -> str:
        """The model's name, and that of the ablation."""
        return f"{self.entry.name} ({self.ablation.name})" if self.ablation else self.entry.name

    def with_ablations(self) -> list[Experiment]:
        """Return this one, those without each part that the model offers, and single tasks."""
        parts = [
            replace(
                self,
                settings=replace(self.settings, **changes),
                ablation=Ablation(name, {key: getattr(self.settings, key) for key in changes}),
            )
            for name, changes in self.entry.load().ablations.items()
        ]
        alone = [replace(self, tasks=(task,)) for task in self.tasks] if len(self.tasks) > 1 else []
        return [self, *parts, *alone]

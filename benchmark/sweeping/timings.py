"""How long a run may take, by what earlier runs took: the same, or the nearest that there is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import median

from benchmark.results.earlier import EarlierRun
from benchmark.running.plan import Experiment

__all__ = ["Estimate", "Timings"]


@dataclass(frozen=True)
class Estimate:
    """Seconds of a run.

    Attributes:
        seconds: the median of what earlier runs took, of all their phases.
        source: which runs these are: ``the same``, or in what they differ.
    """

    seconds: float
    source: str


@dataclass(frozen=True)
class _Facts:
    """What runs agree in, or not."""

    model: str
    dataset: str
    preset: str
    settings: str
    tasks: tuple[str, ...]


def _same(facts: _Facts) -> object:
    return facts


def _settings_differ(facts: _Facts) -> object:
    return facts.model, facts.dataset, facts.preset


def _preset_differs(facts: _Facts) -> object:
    return facts.model, facts.dataset


def _data_differ(facts: _Facts) -> object:
    return facts.model, facts.preset


def _only_the_model(facts: _Facts) -> object:
    return facts.model


_LEVELS: tuple[tuple[Callable[[_Facts], object], str], ...] = (
    (_same, "the same"),
    (_settings_differ, "other settings"),
    (_preset_differs, "preset {0.preset}"),
    (_data_differ, "{0.dataset}"),
    (_only_the_model, "{0.dataset}, preset {0.preset}"),
)
"""What has to agree, and how a person is told of what does not; the nearest first."""


class Timings:
    """What earlier runs took.

    Args:
        runs: the latest last.
    """

    def __init__(self, runs: Iterable[EarlierRun]) -> None:
        self._taken: dict[tuple[int, object], list[tuple[float, _Facts]]] = defaultdict(list)
        for run in runs:
            settings = json.dumps(run.settings, sort_keys=True)
            facts = _Facts(run.model, run.dataset, run.preset, settings, run.tasks)
            for level, (key, _) in enumerate(_LEVELS):
                self._taken[level, key(facts)].append((run.total, facts))

    def of(self, experiment: Experiment, dataset: str) -> Estimate | None:
        """Return the estimate for a run, ``None`` where the model has never run."""
        settings = json.dumps(asdict(experiment.settings), sort_keys=True)
        tasks = tuple(map(str, experiment.tasks))
        facts = _Facts(experiment.entry.name, dataset, experiment.preset, settings, tasks)
        for level, (key, told) in enumerate(_LEVELS):
            if taken := self._taken.get((level, key(facts))):
                nearest = taken[-1][1]
                alike = [seconds for seconds, other in taken if _alike(other, nearest)]
                return Estimate(median(alike), told.format(nearest))
        return None


def _alike(one: _Facts, other: _Facts) -> bool:
    return (one.dataset, one.preset) == (other.dataset, other.preset)

"""How long a run may take, by what earlier runs took: the same, or the nearest that there is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmark.results.stored_files import read_info
from benchmark.running.plan import Experiment

__all__ = ["Estimate", "Timings"]

_Facts = dict[str, Any]


@dataclass(frozen=True)
class Estimate:
    """Seconds of a run.

    Attributes:
        seconds: the median of what earlier runs took, of all their phases.
        source: which runs these are: ``the same``, or in what they differ.
    """

    seconds: float
    source: str


def _same(facts: _Facts) -> tuple[object, ...]:
    return tuple(facts.values())


def _settings_differ(facts: _Facts) -> tuple[object, ...]:
    return facts["model"], facts["dataset"], facts["preset"]


def _preset_differs(facts: _Facts) -> tuple[object, ...]:
    return facts["model"], facts["dataset"]


def _data_differ(facts: _Facts) -> tuple[object, ...]:
    return facts["model"], facts["preset"]


def _only_the_model(facts: _Facts) -> tuple[object, ...]:
    return (facts["model"],)


_LEVELS: tuple[tuple[Callable[[_Facts], tuple[object, ...]], str], ...] = (
    (_same, "the same"),
    (_settings_differ, "other settings"),
    (_preset_differs, "preset {preset}"),
    (_data_differ, "{dataset}"),
    (_only_the_model, "{dataset}, preset {preset}"),
)
"""What has to agree, and how a person is told of what does not; the nearest first."""


class Timings:
    """What earlier runs took.

    Args:
        records: the documents of their ``run.json``.
    """

    def __init__(self, records: Iterable[dict[str, Any]]) -> None:
        self._taken: dict[tuple[object, ...], list[tuple[float, _Facts]]] = defaultdict(list)
        for record in records:
            with suppress(LookupError, TypeError, ValueError):  # boards tell of odd records
                facts = _facts_of(record)
                seconds = sum(p["seconds"] for p in record["phases"] if "/" not in p["name"])
                for level, (key, _) in enumerate(_LEVELS):
                    place = (level, *key(facts))
                    self._taken[place].append((float(seconds), facts))

    @classmethod
    def stored(cls, *results: Path) -> Timings:
        """Read the times of all runs in some results folders; what cannot be read tells nothing."""
        folders = dict.fromkeys(f.resolve() for f in results)
        files = [file for f in folders for file in sorted(f.glob("runs/*/*/[!.]*/run.json"))]
        return cls(filter(None, map(_read, files)))

    def of(self, experiment: Experiment, dataset: str) -> Estimate | None:
        """Return the estimate for a run, ``None`` where the model has never run."""
        settings = json.loads(json.dumps(asdict(experiment.settings)))
        facts = {
            "model": experiment.entry.name,
            "dataset": dataset,
            "preset": experiment.preset,
            "settings": json.dumps(settings, sort_keys=True),
            "tasks": tuple(map(str, experiment.tasks)),
        }
        for level, (key, told) in enumerate(_LEVELS):
            if taken := self._taken.get((level, *key(facts))):
                nearest = taken[-1][1]
                alike = [seconds for seconds, other in taken if _alike(other, nearest)]
                return Estimate(median(alike), told.format(**nearest))
        return None


def _alike(one: _Facts, other: _Facts) -> bool:
    return all(one[name] == other[name] for name in ("dataset", "preset"))


def _facts_of(record: dict[str, Any]) -> _Facts:
    facts = {name: record[name] for name in ("model", "dataset", "preset")}
    facts["settings"] = json.dumps(record["settings"], sort_keys=True)
    return {**facts, "tasks": tuple(record["tasks"])}


def _read(file: Path) -> dict[str, Any] | None:
    try:
        found = read_info(file.parent)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None

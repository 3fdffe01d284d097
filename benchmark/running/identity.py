"""What decides a run's outcome, as a digest: the same request finds the same run.

The code of a run is what its model's entry module and the harness stand on (see
:mod:`benchmark.running.import_closure`), by what it does (:mod:`benchmark.running.syntax`). So a
new model, command or docstring leaves old runs valid. The code that reads and prepares data does
not count: what it makes is covered by the data set's digest, but for the rule on repeats, which
is applied when a data set is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from benchmark import registry
from benchmark.data.dataset import Dataset
from benchmark.data.evaluation_set import Protocol
from benchmark.errors import BenchmarkError
from benchmark.registry import ModelEntry
from benchmark.running.import_closure import import_closure, source_file
from benchmark.running.plan import Experiment
from benchmark.running.syntax import syntax_of

__all__ = ["RunIdentity", "code_digest", "harness_digest"]

_HARNESS = ("benchmark.running.runner", "benchmark.process_group", "benchmark.data.repeats")
_READERS = tuple(f"benchmark.{room}" for room in ("api", "cli", "report", "analysis", "statistics"))
"""Parts of ``benchmark`` that only read records, so that a change there leaves runs as they are."""


@dataclass(frozen=True)
class RunIdentity:
    """Everything that decides the outcome of a run.

    Attributes:
        model: its name.
        preset: what the settings were filled from; for the reader, it does not count.
        settings: all settings.
        dataset: the data set's name.
        dataset_digest: covers files, card, split and how seen items are handled.
        candidates_digest: covers the frozen candidate lists.
        tasks: what it was trained for and asked.
        protocols: how it was asked.
        seed: of training.
        device: ``cpu`` or ``cuda``.
        code: digest of the source code that was run, the model's and the harness's.
        tuning: digest of the search that chose the settings, or ``None``.
        ablation: name of what the model is trained without, or ``None``.
    """

    model: str
    preset: str
    settings: dict[str, Any]
    dataset: str
    dataset_digest: str
    candidates_digest: str
    tasks: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    seed: int
    device: str
    code: str
    tuning: str | None = None
    ablation: str | None = None

    @classmethod
    def of(
        cls,
        plan: Experiment,
        dataset: Dataset,
        protocols: tuple[Protocol, ...],
        seed: int,
        device: str,
    ) -> RunIdentity:
        """Describe a run before it starts."""
        return cls(
            model=plan.entry.name,
            preset=plan.preset,
            settings=asdict(plan.settings),
            dataset=dataset.name,
            dataset_digest=dataset.digest,
            candidates_digest=dataset.candidates_digest,
            tasks=tuple(map(str, plan.tasks)),
            protocols=protocols,
            seed=seed,
            device=device,
            code=code_digest(plan.entry),
            tuning=None if plan.tuning is None else plan.tuning.digest,
            ablation=None if plan.ablation is None else plan.ablation.name,
        )

    @property
    def run_id(self) -> str:
        """``<preset>-s<seed>-<12 hex digits>``."""
        unset = {name for name in ("tuning", "ablation") if getattr(self, name) is None}
        decisive = {k: v for k, v in asdict(self).items() if k not in {"preset", *unset}}
        text = json.dumps(decisive, sort_keys=True)
        return f"{self.preset}-s{self.seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def code_digest(entry: ModelEntry, *more: str) -> str:
    """Return the SHA-256 (hex) over all code that decides what a model's run comes to.

    Args:
        entry: the model.
        more: further modules that decide it, such as a search over settings.

    Raises:
        BenchmarkError: the entry uses something that is neither a model nor a module.
    """
    return _digest({*_HARNESS, *_modules_of(entry), *more})


def harness_digest() -> str:
    """Return the SHA-256 (hex) over the part of the code that is the same for all models."""
    return _digest(_HARNESS)


def _modules_of(entry: ModelEntry) -> set[str]:
    """Return the modules that a model starts from: its own, and those that it uses by name."""
    offered, modules = registry.available(), {_module(entry)}
    waiting = list(entry.uses)
    while waiting:
        name = waiting.pop()
        module = _module(offered[name]) if name in offered else name
        if name not in offered and source_file(name) is None:
            raise BenchmarkError(f"model '{entry.name}' uses '{name}': no such model or module")
        if module not in modules and name in offered:
            waiting += offered[name].uses
        modules.add(module)
    return modules


def _module(entry: ModelEntry) -> str:
    return entry.source.partition(":")[0]


def _digest(roots: Iterable[str]) -> str:
    listings = registry.listings()
    packages = {name.partition(".")[0] for name in (*roots, *listings)}
    files = import_closure(roots, packages, left_out=_READERS, not_as_parent=listings)
    total = hashlib.sha256()
    for name, file in sorted(files.items()):
        total.update(f"{name} {syntax_of(file.read_bytes()).digest}\n".encode())
    return total.hexdigest()

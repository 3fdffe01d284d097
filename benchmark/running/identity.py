"""What decides a run's outcome, as a digest: the same request finds the same run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.registry import ModelEntry
from benchmark.running.plan import Experiment

__all__ = ["RunIdentity", "code_behind", "code_digest"]

HARNESS = ("benchmark", "baselines", "gensar")
_READERS = ("cli/", "report/", "analysis/", "statistics/")
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
        code: digest of the source code that was run.
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
    protocols: tuple[str, ...]
    seed: int
    device: str
    code: str
    tuning: str | None = None
    ablation: str | None = None

    @classmethod
    def of(
        cls, plan: Experiment, dataset: Dataset, protocols: tuple[str, ...], seed: int, device: str
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
            code=code_digest(code_behind(plan.entry)),
            tuning=None if plan.study is None else plan.study.digest(),
            ablation=None if plan.ablation is None else plan.ablation.name,
        )

    @property
    def run_id(self) -> str:
        """``<preset>-s<seed>-<12 hex digits>``."""
        unset = {name for name in ("tuning", "ablation") if getattr(self, name) is None}
        decisive = {k: v for k, v in asdict(self).items() if k not in {"preset", *unset}}
        text = json.dumps(decisive, sort_keys=True)
        return f"{self.preset}-s{self.seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def code_behind(entry: ModelEntry) -> tuple[str, ...]:
    """Return the packages whose code decides what a model's runs give."""
    return tuple(sorted({*HARNESS, entry.source.partition(":")[0].partition(".")[0]}))


@lru_cache(maxsize=8)
def code_digest(packages: tuple[str, ...]) -> str:
    """Return the SHA-256 (hex) over the source files of the packages, by relative path.

    The command line and the reports are left out: they cannot change the outcome of a run.
    """
    total = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        roots = [Path(root) for root in spec.submodule_search_locations or []] if spec else []
        files = [(p.relative_to(root).as_posix(), p) for root in roots for p in root.rglob("*.py")]
        if package == "benchmark":
            files = [(name, file) for name, file in files if not name.startswith(_READERS)]
        if spec and not roots and spec.origin:
            files = [(Path(spec.origin).name, Path(spec.origin))]
        for name, file in sorted(files):
            total.update(f"{package}/{name}\0".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()

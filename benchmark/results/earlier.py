"""What earlier runs cost, as their records tell: seconds by phase, memory, and on which machine.

Only ``run.json`` is read, so that thousands of runs take a moment. A cost is no result: a record
whose other files are damaged still tells it, and one that cannot be read is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.needs import Sizes
from benchmark.results.run_info import check_info
from benchmark.results.stored_files import INFO_FILE, read_info

__all__ = ["EarlierRun", "earlier_runs", "same_run"]


@dataclass(frozen=True)
class EarlierRun:
    """What a run cost.

    Attributes:
        model: its name.
        preset: of its settings.
        settings: all of them, as JSON values.
        tasks: that it was trained and asked for.
        dataset: the name of the data set.
        digest: of the data set.
        seed: of its training.
        device: ``cpu`` or ``cuda``.
        machine: what processor or GPU computed, and for a processor the number of threads.
        seconds: by phase, those of ``fit/…`` inside of ``fit``.
        alone: the same as on a machine that does nothing else, as far as it is known: no more than
            processors were at work for it.
        peak_memory_mib: the most that its process ever held, earlier runs of it included.
        sizes: of the data, ``None`` where the record is older than that.
        finished: when, in UTC, whose order as text is that in time.
        steps: behind it when training ended, ``None`` where it has no validation curve.
    """

    model: str
    preset: str
    settings: Mapping[str, Any]
    tasks: tuple[str, ...]
    dataset: str
    digest: str
    seed: int
    device: str
    machine: tuple[str, int]
    seconds: Mapping[str, float]
    alone: Mapping[str, float]
    peak_memory_mib: float
    sizes: Sizes | None
    finished: str
    steps: float | None

    @property
    def total(self) -> float:
        """Seconds of the whole run; a phase inside another counts once."""
        return sum(value for name, value in self.seconds.items() if "/" not in name)


def earlier_runs(folders: Iterable[Path], models: Iterable[str] | None = None) -> list[EarlierRun]:
    """Return what the runs below some results folders cost, folder by folder, the latest last.

    Args:
        folders: each holds ``runs/``; one that is not there has none, one named twice counts once.
        models: those that are asked about; all without.
    """
    names = None if models is None else {name.replace(":", "-") for name in models}
    found: list[EarlierRun] = []
    for folder in dict.fromkeys(each.resolve() for each in folders):
        own: list[EarlierRun] = []
        for file in sorted((folder / "runs").glob(f"*/*/[!.]*/{INFO_FILE}")):
            if names is None or file.parts[-3].replace(":", "-") in names:
                own += _read(file.parent)
        found += sorted(own, key=lambda run: run.finished)
    return found


def same_run(
    run: EarlierRun, model: str, settings: Mapping[str, Any], tasks: Iterable[str], digest: str
) -> bool:
    """Return whether a run was of the same model, settings, tasks and data, whatever its seed."""
    own = (run.model, dict(run.settings), sorted(run.tasks), run.digest)
    return own == (model, dict(settings), sorted(map(str, tasks)), digest)


def _alone(phase: Mapping[str, Any], device: str) -> float:
    """Return the seconds of a phase without those in which its process waited for a processor.

    One that computes on a GPU waits for that, and records of before tell the clock's time only.
    """
    spent = phase.get("processor_seconds") if device == "cpu" else None
    seconds: float = phase["seconds"]
    return seconds if spent is None else min(seconds, spent)


def _read(folder: Path) -> Iterator[EarlierRun]:
    try:
        info = read_info(folder)
        check_info(info)
        if info["device"] == "external":
            return
        environment, curve = info["environment"], info["curve"]
        threads = environment.get("threads", 1) if info["device"] == "cpu" else 0
        cpu = environment.get("cpu", "") if info["device"] == "cpu" else environment["device"]
        sizes = info.get("sizes")
        yield EarlierRun(
            model=info["model"],
            preset=info["preset"],
            settings=info["settings"],
            tasks=tuple(info["tasks"]),
            dataset=info["dataset"],
            digest=info["dataset_digest"],
            seed=info["seed"],
            device=info["device"],
            machine=(cpu, threads),
            seconds={phase["name"]: phase["seconds"] for phase in info["phases"]},
            alone={phase["name"]: _alone(phase, info["device"]) for phase in info["phases"]},
            peak_memory_mib=info["peak_memory_mib"],
            sizes=None if sizes is None else Sizes.from_json(sizes),
            finished=info["finished"],
            steps=curve[-1].get("step") if curve else None,
        )
    except (OSError, ValueError, TypeError, KeyError, BenchmarkError):
        return  # whoever reads results is told of damaged runs

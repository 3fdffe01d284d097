"""Memory and time of a run before it begins, from what its model needs and from earlier runs.

Memory is summed up from sizes: libraries, data, weights with their optimiser, what a batch leaves
for the backward pass, answers. Constants were measured once, on Linux x86-64 with CPython 3.11 and
torch 2.13.0 (CPU, and what its build for CUDA adds); ``python -m tests.estimates`` holds the sums
against runs. Time is that of earlier runs of the model, scaled by its operations where data or
settings differ; without any it follows from how fast this machine multiplies matrices.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.data.requests import Task
from benchmark.errors import NoRoomError
from benchmark.failures import blaming
from benchmark.model import Model
from benchmark.needs import Library, Needs, Sizes, Work, in_turn
from benchmark.remarks import remark
from benchmark.results.earlier import EarlierRun, same_run
from benchmark.running.environment import cpu_name
from benchmark.running.memory import Room, device_room, host_room
from benchmark.running.plan import Experiment

__all__ = [
    "MIB",
    "TOLERANCE",
    "Estimate",
    "check_room",
    "estimate",
    "estimate_memory",
    "shown",
    "this_machine",
]

MIB = 2**20
TOLERANCE = 1.5
"""A measured peak lies within this factor of an estimate, either way, in whatever was compared."""
HARNESS = 200 * MIB
"""The interpreter with NumPy, pandas, SciPy, PyArrow and this package."""
LIBRARIES: Mapping[Library, float] = {
    "torch": 180 * MIB,
    "recbole": 40 * MIB,
    "sentence-transformers": 190 * MIB,
}
"""What each adds to the process when it is imported."""
TRAINING = 80 * MIB
"""Autograd's and the optimiser's own code, which torch loads when they are first used."""
CUDA_BUILD, CUDA_TRAINING = 280 * MIB, 70 * MIB
"""What a build of torch for CUDA adds to both, though it computes on the processor alone."""
GPU_HOST, GPU_DEVICE = 900 * MIB, 500 * MIB
"""What CUDA takes on the host and on the device; not measured, as no GPU was at hand."""
WEIGHT, GRADIENT, ADAM, BEST = 4, 4, 8, 12
"""Bytes for each weight: it, its gradient, two moments, and the first and the last as they were
where validation was best."""
CHECKPOINT = WEIGHT + ADAM + BEST
"""Bytes for each weight of a checkpoint, which is put together in memory."""
LOG_ROW = 110
"""Bytes for each event: the log, the training view of it, and what is derived for histories."""
LISTED = 12
"""Bytes for each candidate of a list."""
ROW = 150
"""Bytes for each item and query beside their texts: ids, titles, fields."""
TEXTS = 3
"""Bytes for each byte of text: the column, its blanked copy, titles and ids."""
SCORES = 2 * 4
"""Bytes for each score of the catalogue that the harness ranks: it, and a copy."""
RANKING = 20 * MIB
"""What ranking and counting take beside scores."""
RECORDING, RECORDED = 40 * MIB, 9000
"""What the first record on a data set takes, and for each test request: easy rules are asked."""
SPARE = 1.1
"""Memory that is freed is not all given back, and pieces do not fit where others were."""

EFFICIENCY = 0.35
"""Share of a large product's speed that products of small networks reach on a CPU."""
BANDWIDTH = 2.4e9
"""Bytes a second that a thread writes in work that is no product."""
CALL = 5e-4
"""Seconds that a pass through a network takes however small it is: Python, allocations.

These three are the best for the phases of the runs in ``results/published``, 33 billion operations
a second being 0.35 of a product's there; half of the phases lie within a factor of 1.6 then. Other
work was on that machine, more at some times than at others.
"""
RANKED = 16
"""Bytes that the harness writes for each score that it ranks."""


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        title: of the run.
        device: where it computes.
        memory: bytes on the host by what they are for; the sum is the peak.
        on_device: bytes on a GPU, likewise; empty on a CPU.
        seconds: by phase, those of ``fit/…`` inside of ``fit``; empty where nobody knows.
        source: where the seconds come from, in a few words.
        known: whether the model tells what it needs; else memory is what the harness takes.
    """

    title: str
    device: str
    memory: Mapping[str, float]
    on_device: Mapping[str, float]
    seconds: Mapping[str, float]
    source: str
    known: bool

    @property
    def host(self) -> float:
        """Bytes on the host at the peak."""
        return sum(self.memory.values())

    @property
    def gpu(self) -> float:
        """Bytes on the GPU at the peak."""
        return sum(self.on_device.values())

    @property
    def total(self) -> float | None:
        """Seconds of the run, ``None`` where nobody knows."""
        outer = [value for name, value in self.seconds.items() if "/" not in name]
        return sum(outer) if outer else None


def estimate(
    experiment: Experiment,
    sizes: Sizes,
    digest: str,
    device: str,
    earlier: Iterable[EarlierRun] = (),
    sizes_of: Mapping[str, Sizes] | None = None,
    machine: tuple[str, int] | None = None,
) -> Estimate:
    """Return what a run will take.

    Args:
        experiment: model, settings and tasks.
        sizes: of its data.
        digest: of its data.
        device: ``cpu`` or ``cuda``.
        earlier: runs that may say how long it lasts.
        sizes_of: sizes by digest of data, for records that do not tell theirs.
        machine: as :class:`EarlierRun` calls it; this one if not given. Its runs go before others'.

    Raises:
        BenchmarkError: the model fails when it is asked.
    """
    needs = _needs(experiment, sizes)
    memory, on_device = _memory(needs, sizes, device)
    runs = [r for r in earlier if r.model == experiment.entry.name and r.device == device]
    known = {digest: sizes, **(sizes_of or {})}
    seconds, source = _seconds(
        experiment, needs, sizes, digest, device, runs, known, machine or this_machine(device)
    )
    return Estimate(experiment.title, device, memory, on_device, seconds, source, needs is not None)


def _needs(experiment: Experiment, sizes: Sizes) -> Needs | None:
    with blaming(f"model '{experiment.title}' cannot be asked what it needs"):
        model: Model = experiment.entry.load()(experiment.settings)
        return model.needs(sizes, experiment.tasks)


def _memory(
    needs: Needs | None, sizes: Sizes, device: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Return bytes on the host and on a GPU by what they are for."""
    host: dict[str, float] = {"python and harness": HARNESS, "data": _data(sizes)}
    ranking = RANKING + SCORES * sizes.at_once * max(sizes.items, sizes.longest_list)
    asked = sum(sizes.asked.get("test", {}).values())
    record = RECORDING + RECORDED * asked
    if needs is None:
        return _with_most(host, {"answers": ranking, "record": record}), {}
    host["libraries"] = sum(LIBRARIES[name] for name in needs.libraries)
    if for_cuda := "torch" in needs.libraries and _is_for_cuda():
        host["libraries"] += CUDA_BUILD
    if any(work.trained for work in needs.fit):
        host["libraries"] += TRAINING + for_cuda * CUDA_TRAINING
    phases = [*needs.fit, needs.request]
    learned = max((work.trained for work in phases), default=0.0)
    pretrained = WEIGHT * max((work.encoder for work in phases), default=0.0)
    training = learned * (WEIGHT + GRADIENT + ADAM + BEST)
    held = max((SPARE * work.held for work in needs.fit), default=0.0)
    answering = SPARE * needs.request.held
    kept = max(0.0, needs.kept - WEIGHT * learned - pretrained) + pretrained
    if device == "cuda":
        gpu = {
            "CUDA": float(GPU_DEVICE),
            "weights and optimiser": training + pretrained,
            "batches": max(held, answering),
        }
        host["CUDA"] = GPU_HOST
        host["weights and checkpoints"] = kept + CHECKPOINT * learned
        return _with_most(host, {"answers": ranking, "record": record}), gpu
    host["weights and optimiser"] = kept + training + CHECKPOINT * learned
    return _with_most(host, {"batches": held, "answers": ranking + answering, "record": record}), {}


@lru_cache(maxsize=1)
def _is_for_cuda() -> bool:
    """Return whether the installed torch was built for CUDA, without importing it."""
    found = find_spec("torch")
    folders = (found.submodule_search_locations or ()) if found is not None else ()
    return any(Path(folder, "lib", "libtorch_cuda.so").exists() for folder in folders)


def _with_most(parts: dict[str, float], in_turn: Mapping[str, float]) -> dict[str, float]:
    """Add the largest of what is needed one after the other."""
    most = max(in_turn, key=lambda name: in_turn[name])
    return {**parts, most: in_turn[most]}


def _data(sizes: Sizes) -> float:
    rows, texts = sizes.items + sizes.queries, sizes.item_bytes + sizes.query_bytes
    asked = sum(sum(counts.values()) for counts in sizes.asked.values())
    return LOG_ROW * sizes.log + LISTED * sizes.listed + ROW * (rows + asked) + TEXTS * texts


def _seconds(
    experiment: Experiment,
    needs: Needs | None,
    sizes: Sizes,
    digest: str,
    device: str,
    alike: Sequence[EarlierRun],
    sizes_of: Mapping[str, Sizes],
    machine: tuple[str, int],
) -> tuple[dict[str, float], str]:
    """Return seconds by phase, and where they come from."""
    settings = json.loads(json.dumps(asdict(experiment.settings)))
    same = [
        r for r in alike if same_run(r, experiment.entry.name, settings, experiment.tasks, digest)
    ]
    here = [r for r in same if r.machine == machine] or same
    if here:
        return _medians([r.alone for r in here]), _told(here, machine, "of the same kind")
    if needs is None:
        return {}, "unknown: the model does not say what it needs, and no run is stored"
    scaled = [
        (run, found)
        for run in ([r for r in alike if r.machine == machine] or alike)
        if (found := _scaled(run, experiment, needs, sizes, sizes_of)) is not None
    ]
    if scaled:
        runs = [run for run, _ in scaled]
        return _medians([one for _, one in scaled]), _told(runs, machine, "scaled by operations")
    if device == "cuda":
        return {}, "unknown: no run on a GPU is stored"
    works = _by_phase(needs, sizes, experiment.tasks)
    speed = EFFICIENCY * matrix_speed()
    return (
        {name: _cost(work, speed) for name, work in works.items()},
        "from this machine's speed, a few times too much or too little; at most the whole budget",
    )


def _told(runs: Sequence[EarlierRun], machine: tuple[str, int], how: str) -> str:
    count = f"{len(runs)} earlier run{'s' * (len(runs) > 1)} {how}"
    elsewhere = sorted({f"{r.machine[0]}, threads {r.machine[1]}" for r in runs} - {""})
    return count if all(r.machine == machine for r in runs) else f"{count}, on {elsewhere[0]}"


def _scaled(
    run: EarlierRun,
    experiment: Experiment,
    needs: Needs,
    sizes: Sizes,
    sizes_of: Mapping[str, Sizes],
) -> dict[str, float] | None:
    """Return the run's seconds by phase times what the new one costs more, if that can be told."""
    known = run.sizes or sizes_of.get(run.digest)
    if known is None:
        return None
    tasks = tuple(map(Task, run.tasks))
    kind = type(experiment.settings)
    try:
        values = {n: tuple(v) if isinstance(v, list) else v for n, v in run.settings.items()}
        then = replace(experiment, settings=kind(**values), tasks=tasks)
        old = _needs(then, known)
    except (TypeError, ValueError):
        return None  # of another version of the model
    if old is None:
        return None
    now, before = _by_phase(needs, sizes, experiment.tasks), _by_phase(old, known, tasks)
    speed = EFFICIENCY * matrix_speed()
    return {
        name: run.alone[name] * _cost(work, speed) / max(_cost(before[name], speed), 1e-9)
        for name, work in now.items()
        if name in before and name in run.alone
    }


def _by_phase(needs: Needs, sizes: Sizes, tasks: tuple[Task, ...]) -> dict[str, Work]:
    """Return the work of each phase as the run log names it, and of the whole of ``fit``."""
    inner = {f"fit/{work.name}": work for work in needs.fit if work.name}
    whole = in_turn(*needs.fit) if needs.fit else Work()
    ranked = Work(moved=RANKED * max(sizes.items, sizes.longest_list))
    answered = in_turn(needs.request, ranked) * sizes.requests("test", tasks)
    return {**inner, "fit": whole, "evaluate": answered}


def _cost(work: Work, speed: float) -> float:
    seconds = work.flop / speed + work.moved / BANDWIDTH + work.calls * CALL
    return min(seconds, work.limit or seconds)


def _medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = [name for name in runs[0] if all(name in run for run in runs)]
    return {name: statistics.median(run[name] for run in runs) for name in names}


def this_machine(device: str) -> tuple[str, int]:
    """Return what :class:`EarlierRun` calls this machine."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name(), 0
    return cpu_name(), torch.get_num_threads()


@lru_cache(maxsize=1)
def matrix_speed() -> float:
    """Return the operations a second of a product of matrices, the fastest of a few."""
    import torch

    side = torch.ones(512, 512)
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        torch.mm(side, side)
        seconds.append(time.perf_counter() - started)
    return 2 * 512**3 / min(seconds)


def check_room(experiment: Experiment, sizes: Sizes, device: str) -> None:
    """Refuse a run that cannot fit into the memory that is there; tell of one that may not.

    An estimate may be off by :data:`TOLERANCE`, so only what is beyond that is refused.

    Raises:
        NoRoomError: it cannot fit: what it needs, what there is, and what to change.
    """
    found = estimate_memory(experiment, sizes, device)
    _check(experiment, found.memory, host_room(), found.known)
    if device == "cuda":
        _check(experiment, found.on_device, device_room(), found.known)


def estimate_memory(experiment: Experiment, sizes: Sizes, device: str) -> Estimate:
    """Return the estimate without its seconds, which takes no measuring."""
    needs = _needs(experiment, sizes)
    memory, on_device = _memory(needs, sizes, device)
    return Estimate(experiment.title, device, memory, on_device, {}, "", needs is not None)


def _check(experiment: Experiment, parts: Mapping[str, float], room: Room, known: bool) -> None:
    needed = sum(parts.values())
    if needed <= room.total:
        return
    most = max(parts, key=lambda name: parts[name])
    told = (
        f"it needs about {shown(needed)} of memory{'' if known else ' at least'}"
        f" ({shown(parts[most])} for {most}), and {room.where} has {shown(room.total)} for it"
    )
    if needed > TOLERANCE * room.total:
        raise NoRoomError(f"{told}; {_mend(most, experiment.settings)}")
    remark(f"{experiment.title}: {told}; it may not fit")


def _mend(most: str, settings: Any) -> str:
    """Return what to change where this takes the most memory."""
    wanted = {
        "batches": ("batch_size", "max_history", "width"),
        "weights and optimiser": ("width", "id_width", "codebook_size"),
        "answers": ("shortlist", "num_beams"),
    }.get(most, ())
    names = [name for name in wanted if getattr(settings, name, None)]
    smaller = f"lower {' or '.join(names)} by --set, or " if names else ""
    return f"{smaller}take a smaller data set or a machine with more memory"


def shown(size: float) -> str:
    """Return a number of bytes as a person reads it."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / MIB:.0f} MiB"

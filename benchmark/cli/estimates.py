"""``run --estimate``: the memory and the time that runs will take, without running them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from benchmark.cli.output import show_json, show_table

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset
    from benchmark.running.estimate import Estimate
    from benchmark.running.memory import Room
    from benchmark.running.plan import Experiment

__all__ = ["show_estimates"]


def show_estimates(
    plans: Sequence[Experiment],
    data: Dataset,
    device: str,
    results: Path,
    seeds: int,
    as_json: bool,
) -> None:
    """Show what each plan takes: a table, or one JSON document.

    Args:
        plans: what would be run.
        data: on what.
        device: as asked for.
        results: where runs that tell times lie, and those of its folder ``published``.
        seeds: runs of each plan.
        as_json: whether a program reads it.
    """
    from benchmark.needs import Sizes
    from benchmark.results.earlier import earlier_runs
    from benchmark.running.device import resolve_device
    from benchmark.running.estimate import estimate
    from benchmark.running.memory import device_room, host_room

    sizes = Sizes.of(data)
    names = {plan.entry.name for plan in plans}
    earlier = earlier_runs((results, results / "published"), names)
    found = []
    for plan in plans:
        where = resolve_device(device, plan.entry.load()(plan.settings))
        own = estimate(plan, sizes, data.digest, where, earlier)
        found.append((plan, own, device_room() if where == "cuda" else None))
    room = host_room()
    if as_json:
        documents = [_document(plan, own, room, gpu, seeds) for plan, own, gpu in found]
        show_json({"dataset": data.name, "sizes": sizes.to_json(), "runs": documents})
        return
    table = Table("model", "runs", "time of one", "memory", "of it", "free", "fits", "time from")
    for plan, own, gpu in found:
        table.add_row(
            plan.title,
            str(seeds),
            _times(own),
            _memory(own),
            _parts(own),
            _free(room, gpu),
            _fits(own, room, gpu),
            own.source,
        )
    show_table(table)


def _document(
    plan: Experiment, own: Estimate, room: Room, gpu: Room | None, seeds: int
) -> dict[str, Any]:
    from benchmark.running.estimate import MIB

    return {
        "model": plan.entry.name,
        "ablation": plan.ablation.name if plan.ablation else None,
        "preset": plan.preset,
        "tasks": [str(task) for task in plan.tasks],
        "device": own.device,
        "runs": seeds,
        "known": own.known,
        "memory_mib": own.host / MIB,
        "memory_parts_mib": {name: size / MIB for name, size in own.memory.items()},
        "gpu_memory_mib": own.gpu / MIB if own.on_device else None,
        "free_mib": room.total / MIB,
        "free_gpu_mib": None if gpu is None else gpu.total / MIB,
        "fits": _fits(own, room, gpu),
        "seconds": own.total,
        "phases": [{"name": name, "seconds": value} for name, value in own.seconds.items()],
        "source": own.source,
    }


def _times(own: Estimate) -> str:
    if own.total is None:
        return "unknown"
    phases = ", ".join(f"{name} {_duration(value)}" for name, value in own.seconds.items())
    return f"{_duration(own.total)}: {phases}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _memory(own: Estimate) -> str:
    from benchmark.running.estimate import shown

    host = shown(own.host) if own.known else f"unknown, at least {shown(own.host)}"
    return f"{host}, GPU {shown(own.gpu)}" if own.on_device else host


def _parts(own: Estimate) -> str:
    from benchmark.running.estimate import shown

    return ", ".join(f"{name} {shown(size)}" for name, size in own.memory.items() if size)


def _free(room: Room, gpu: Room | None) -> str:
    from benchmark.running.estimate import shown

    return shown(room.total) if gpu is None else f"{shown(room.total)}, GPU {shown(gpu.total)}"


def _fits(own: Estimate, room: Room, gpu: Room | None) -> str:
    """Return ``yes``, ``no``, ``perhaps`` where it is too close, or ``unknown``."""
    from benchmark.running.estimate import TOLERANCE

    shares = [own.host / max(room.total, 1)]
    if gpu is not None:
        shares.append(own.gpu / max(gpu.total, 1))
    if max(shares) > TOLERANCE:
        return "no"
    if not own.known:
        return "unknown"
    return "yes" if max(shares) <= 1 else "perhaps"

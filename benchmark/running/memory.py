"""How much memory a process may still take: of the machine, of its control group, of a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmark import control_groups
from benchmark.processes import siblings

__all__ = ["Room", "device_room", "host_room"]


@dataclass(frozen=True)
class Room:
    """Memory that is there for this process.

    Attributes:
        total: bytes that it may take, those that it has already included.
        where: what sets the limit.
    """

    total: float
    where: str


def host_room() -> Room:
    """Return what is there for this process: the least of the machine's and its control groups'.

    That is what is free. Where processes like this one work beside it, it is no more than its share
    of everything, as the others may not have taken theirs yet.
    """
    memory, own, others = psutil.virtual_memory(), _own(), siblings()
    machine = float(memory.available), float(memory.total), "this machine"
    rooms = [Room(least + own, where) for least, _, where in (machine, *_left_to_groups())]
    if others > 1:
        rooms += [
            Room(whole / others, f"each of {others} processes in {where}")
            for _, whole, where in (machine, *_left_to_groups())
        ]
    return min(rooms, key=lambda room: room.total)


def device_room() -> Room:
    """Return what is free on the GPU that torch computes on."""
    import torch

    free, _ = torch.cuda.mem_get_info()
    return Room(free, torch.cuda.get_device_name())


def _own() -> int:
    return psutil.Process().memory_info().rss


def _left_to_groups() -> Iterator[tuple[float, float, str]]:
    """Yield what is left below the limit of each control group of this process, and the limit."""
    for folder, version, limit in control_groups.memory_limits():
        file = "memory.current" if version == 2 else "memory.usage_in_bytes"
        used = control_groups.number(folder / file)
        if used is None:
            continue
        # Pages of files count as used, but are given up when memory is asked for.
        used -= min(used, _inactive(folder / "memory.stat"))
        yield max(0.0, limit - used), limit, "the container or control group"


def _inactive(file: Path) -> float:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    pairs = [line.split() for line in lines]
    told = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    return float(told.get("total_inactive_file", told.get("inactive_file", "0")))

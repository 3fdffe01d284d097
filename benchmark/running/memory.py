"""How much memory a process may still take: of the machine, of its control group, of a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmark.processes import siblings

__all__ = ["Room", "device_room", "host_room"]

_PROC, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_NO_LIMIT = 2**60
"""Version 1 of control groups writes such a number where there is no limit."""


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
    for folder, limit_file, used_file in _group_folders():
        limit = _number(folder / limit_file)
        used = _number(folder / used_file)
        if limit is None or used is None or limit >= _NO_LIMIT:
            continue
        # Pages of files count as used, but are given up when memory is asked for.
        used -= min(used, _inactive(folder / "memory.stat"))
        yield max(0.0, limit - used), limit, "the container or control group"


def _group_folders() -> Iterator[tuple[Path, str, str]]:
    """Yield the folder of each group and its parents, with the files of its limit and its use.

    In a container the path of a group is often that of the host, and the group itself is mounted
    at the root.
    """
    try:
        lines = _PROC.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            roots = [_CGROUPS, _CGROUPS / "unified"]
            files = ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            roots = [_CGROUPS / "memory"]
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        for root in roots:
            own = root / path.lstrip("/")
            for folder in (own, *own.parents):
                yield (folder, *files)
                if folder == root:
                    break


def _number(file: Path) -> float | None:
    """Return the number that a file holds; ``None`` for ``max``, or where it cannot be read."""
    try:
        return float(int(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _inactive(file: Path) -> float:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    pairs = [line.split() for line in lines]
    told = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    return float(told.get("total_inactive_file", told.get("inactive_file", "0")))

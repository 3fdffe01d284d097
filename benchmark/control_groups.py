"""The control groups of this process: what a container or a batch system lets it have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["folders", "memory_limits", "number", "processors"]

_PROC, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_NO_LIMIT = 2**60
"""Version 1 of control groups writes such a number where there is no limit."""


def folders(controller: str) -> Iterator[tuple[Path, int]]:
    """Yield the folder of each group that has a controller, and of its parents, with the version.

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
            version, roots = 2, [_CGROUPS, _CGROUPS / "unified"]
        elif controller in controllers.split(","):
            version, roots = 1, [_CGROUPS / name for name in {controller, controllers}]
        else:
            continue
        for root in roots:
            own = root / path.lstrip("/")
            for folder in (own, *own.parents):
                yield folder, version
                if folder == root:
                    break


def memory_limits() -> Iterator[tuple[Path, int, float]]:
    """Yield each folder that limits memory, its version, and the limit in bytes."""
    for folder, version in folders("memory"):
        file = "memory.max" if version == 2 else "memory.limit_in_bytes"
        limit = number(folder / file)
        if limit is not None and limit < _NO_LIMIT:
            yield folder, version, limit


def processors() -> float | None:
    """Return how much time on processors the groups leave, in processors; ``None`` if any."""
    quotas = [_quota(folder, version) for folder, version in folders("cpu")]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(folder: Path, version: int) -> float | None:
    if version == 1:
        time = number(folder / "cpu.cfs_quota_us")  # -1 where there is no limit
        period = number(folder / "cpu.cfs_period_us")
    else:
        time, period = _pair(folder / "cpu.max")
    return time / period if time and period and time > 0 else None


def _pair(file: Path) -> tuple[float | None, float | None]:
    """Return the two numbers of ``cpu.max``; ``max 100000`` is no limit."""
    try:
        time, period = file.read_text(encoding="utf-8").split()
        return float(int(time)), float(int(period))
    except (OSError, ValueError):
        return None, None


def number(file: Path) -> float | None:
    """Return the number that a file holds; ``None`` for ``max``, or where it cannot be read."""
    try:
        return float(int(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None

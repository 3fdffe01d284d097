"""What is being written, and what is left of it when its process dies.

Everything is written beside its place under a name that tells its process. So whoever comes later
knows what is still at work, and what nobody will ever finish.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = [
    "UNFINISHED",
    "changed",
    "is_live",
    "place_of",
    "remove",
    "size_of",
    "sweep",
    "sweep_below",
    "unfinished_of",
]

UNFINISHED = ".unfinished"
"""How the name of everything ends that is being written beside its place."""

_NAME = re.compile(rf"\.(.*)\.([0-9a-f]{{8}})-(\d+)-[0-9a-f]{{8}}{UNFINISHED}", re.DOTALL)
_LONGEST = 100
"""Bytes of the place's name that are kept; file systems take 255."""
_ABANDONED = 86400.0
"""Seconds without a change after which something of an unknown process is nobody's any more."""
_CLOCK = 3600.0
"""Seconds that a clock may have been set by since a process began."""


def unfinished_of(place: Path) -> Path:
    """Return a path beside ``place`` that nobody else has, hidden and told by its ending."""
    own = f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    return place.with_name(f".{_short(place.name)}.{own}{UNFINISHED}")


def place_of(path: Path) -> str | None:
    """Return the name of the place that something unfinished stands beside, long ones cut."""
    told = _NAME.fullmatch(path.name)
    return told and told[1]


def is_live(path: Path) -> bool:
    """Return whether something unfinished may still be at work.

    Its process tells, if it is one of this machine; of others (another host or container, an older
    version) it is whether it changed within a day.
    """
    told = _NAME.fullmatch(path.name)
    if told is None or told[2] != _machine():
        return time.time() - changed(path) < _ABANDONED
    import psutil

    try:
        # A process that began later has only inherited the number.
        return psutil.Process(int(told[3])).create_time() <= path.lstat().st_ctime + _CLOCK
    except (psutil.NoSuchProcess, OverflowError, FileNotFoundError):
        return False
    except (psutil.Error, OSError):
        return True


def sweep(place: Path) -> None:
    """Remove what dead processes left beside a place that they wrote."""
    with suppress(OSError):
        for path in place.parent.glob(f".*{UNFINISHED}"):
            if place_of(path) == _short(place.name) and not is_live(path):
                remove(path)


def sweep_below(folder: Path) -> None:
    """Remove what dead processes left anywhere below a folder."""
    with suppress(OSError):
        for path in [*folder.rglob(f".*{UNFINISHED}")]:
            if not is_live(path):
                remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link (not what it leads to) or a folder, as far as that is possible."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; links are not followed."""
    return sum(found.st_size for found in _inside(path) if not stat.S_ISDIR(found.st_mode))


def changed(path: Path) -> float:
    """Return when something in a file or folder changed last, in seconds since the epoch."""
    return max((found.st_mtime for found in _inside(path)), default=0.0)


def _inside(path: Path) -> Iterator[os.stat_result]:
    names = [path]
    if not path.is_symlink():
        names += [Path(top, n) for top, some, more in os.walk(path) for n in (*some, *more)]
    for each in names:
        with suppress(OSError):
            yield each.lstat()


def _short(name: str) -> str:
    return os.fsencode(name)[:_LONGEST].decode("utf-8", "ignore")


@cache
def _machine() -> str:
    """Return a digest of the host and, as containers share hosts, of where its numbers count."""
    try:
        numbers = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        numbers = 0
    return hashlib.sha256(f"{socket.gethostname()} {numbers}".encode()).hexdigest()[:8]

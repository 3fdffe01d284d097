"""Locks: who writes a record, a study or a cache entry is alone with it.

The operating system holds them, so that a process that dies lets go of its own.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from benchmark.errors import BenchmarkError, InputError

__all__ = ["BusyError", "is_held", "lock_file", "locked", "place_of_lock"]

_LOCK = ".lock"
_ATTEMPTS = 100
"""How often a folder is made that others remove as soon as it is empty."""


class BusyError(BenchmarkError):
    """Another process is at work there; the message says which."""


def lock_file(place: Path) -> Path:
    """Return the file that stands for the lock of ``place``, hidden beside it."""
    return place.with_name(f".{place.name}{_LOCK}")


def place_of_lock(file: Path) -> Path | None:
    """Return the place that a file stands for as its lock, ``None`` for any other file."""
    name = file.name
    lock = name.startswith(".") and name.endswith(_LOCK) and len(name) > 1 + len(_LOCK)
    return file.with_name(name[1 : -len(_LOCK)]) if lock else None


def is_held(file: Path) -> bool:
    """Return whether a process holds the lock that a file stands for, or nobody can tell.

    A look leaves nothing behind: what is not there is not made.
    """
    if FileLock(file, is_singleton=True).is_locked:
        return True
    try:
        # Opened here, as filelock makes a file that is not there, or has gone since it was seen.
        place = os.open(file, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as filelock does; closing lets go of it
    except OSError:
        return True
    finally:
        os.close(place)
    return False


@contextmanager
def locked(place: Path, wait: float = 60.0) -> Iterator[None]:
    """Hold the lock of a file or folder, which need not be there.

    A process may take a lock again that it holds.

    Args:
        place: what is to be written.
        wait: seconds to wait for another process.

    Raises:
        BusyError: it still has it.
        InputError: the place cannot be written to.
    """
    file = lock_file(place)
    try:
        lock = _acquired(file, wait)
    except Timeout:
        raise BusyError(f"{place}: is being written by {_holder(file)}; wait for it") from None
    except OSError as error:
        raise InputError(f"{place}: cannot be written: {error.strerror or error}") from error
    try:
        if lock.lock_counter == 1:
            about = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
            file.write_text(json.dumps(about), encoding="utf-8")
        yield
    finally:
        if lock.lock_counter == 1:
            # Whoever waits notices that the file has gone, and makes it anew.
            with suppress(OSError):
                file.unlink(missing_ok=True)
        lock.release()


def _acquired(file: Path, wait: float) -> BaseFileLock:
    """Return the lock of a file, held.

    Raises:
        Timeout: another process still has it.
        OSError: the folder cannot be made or written to.
    """
    lock = FileLock(file, is_singleton=True)
    for attempt in itertools.count():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=wait, poll_interval=0.05)
            break
        except (FileNotFoundError, FileExistsError):  # others removed the folder, which was empty
            if attempt == _ATTEMPTS:
                raise
    return lock


def _holder(file: Path) -> str:
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        since = time.strftime("%H:%M:%S", time.localtime(float(about["since"])))
        return f"process {int(about['pid'])} on {ascii(str(about['host']))[1:-1]} since {since}"
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return "another process"

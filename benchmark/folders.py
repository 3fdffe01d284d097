"""Folders that are there whole or not at all, and never away while they are replaced."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from benchmark.errors import BenchmarkError, InputError
from benchmark.files import flush
from benchmark.unfinished import remove, sweep, unfinished_of

__all__ = [
    "discard",
    "in_place",
    "prune",
    "put",
    "put_back",
    "read_steadily",
    "standing",
    "workplace",
]

T = TypeVar("T")

_AT_FDCWD, _EXCHANGE = -100, 2
"""Linux' constants for ``renameat2``."""
_ASIDE = ".older"


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside ``folder``; what is not moved away from there is removed.

    What dead processes left of the same is removed too.

    Raises:
        OSError: it cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    unfinished = unfinished_of(folder)
    try:
        unfinished.mkdir()
        yield unfinished
    finally:
        remove(unfinished)


def put(unfinished: Path, folder: Path) -> None:
    """Put a folder in the place of another, which then is where the first was.

    On Linux this is one step. Elsewhere there is a moment in which the older one is found by
    :func:`standing` only. Who calls this is alone with ``folder``.

    Raises:
        OSError: it cannot be done; what was there before still is.
    """
    for file in unfinished.iterdir():
        flush(file)
    flush(unfinished)
    put_back(folder)
    try:
        unfinished.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not _exchanged(unfinished, folder):
            _exchange_in_steps(unfinished, folder)
    flush(folder.parent)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, if the system can."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    sys.audit("os.rename", os.fspath(one), os.fspath(other), -1, -1)
    paths = _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other)
    return bool(rename(*paths, ctypes.c_uint(_EXCHANGE)) == 0)


def _exchange_in_steps(unfinished: Path, folder: Path) -> None:
    aside = _aside(folder)
    try:
        folder.rename(aside)
        unfinished.rename(folder)
        aside.rename(unfinished)
    finally:
        put_back(folder)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{_ASIDE}")


def put_back(folder: Path) -> None:
    """Put back a folder that a killed process set aside, or remove it if another took its place.

    Who calls this is alone with ``folder``.

    Raises:
        OSError: it cannot be put back.
    """
    aside = _aside(folder)
    if os.path.lexists(aside):
        if os.path.lexists(folder):
            discard(aside)
        else:
            aside.rename(folder)


def standing(folder: Path) -> Path:
    """Return where a folder stands: in its place, or set aside where it is being replaced."""
    aside = _aside(folder)
    return aside if not folder.is_dir() and aside.is_dir() else folder


def in_place(path: Path) -> Path:
    """Return the place of a folder that may be set aside."""
    name = path.name
    aside = name.startswith(".") and name.endswith(_ASIDE)
    return path.with_name(name[1 : -len(_ASIDE)]) if aside and len(name) > 1 + len(_ASIDE) else path


def read_steadily(folder: Path, read: Callable[[Path], T]) -> T:
    """Return what ``read`` makes of a folder, again if the folder was replaced meanwhile.

    Raises:
        BenchmarkError: as ``read`` does.
    """
    failed: tuple[int, ...] | None = None
    while True:
        place = standing(folder)
        before = _identity(place)
        try:
            return read(place)
        except BenchmarkError:
            # A new folder may have got the number of the old one, so it has to fail twice.
            if before == failed == _identity(standing(folder)):
                raise
            failed = before


def _identity(folder: Path) -> tuple[int, ...]:
    """Return what changes when a folder is replaced; empty where there is none."""
    try:
        found = folder.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_ctime_ns


def discard(folder: Path) -> None:
    """Remove a folder, or a link to one: it is gone in one step, whatever happens.

    Raises:
        InputError: it cannot be removed.
    """
    going = unfinished_of(folder)
    try:
        with suppress(FileNotFoundError):
            folder.rename(going)
    except OSError as error:
        raise InputError(f"{folder}: cannot be removed: {error.strerror or error}") from error
    remove(going)


def prune(folder: Path, root: Path) -> None:
    """Remove a folder, and those around it below ``root``, as far as they are empty."""
    with suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent

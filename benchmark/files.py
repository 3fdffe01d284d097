"""Files that are there whole or not at all, and files that are read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from benchmark.errors import InputError
from benchmark.unfinished import remove, sweep, unfinished_of

__all__ = ["flush", "open_regular", "writing"]


@contextmanager
def writing(file: Path) -> Iterator[Path]:
    """Give a file beside ``file`` to be written, then flush it and put it in its place.

    The place keeps its mode and owner. Two who write the same file do not meet: the last one
    counts. What dead processes left of the same file is removed.

    Raises:
        InputError: it cannot be written; what was there before still is.
    """
    unfinished = unfinished_of(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        sweep(file)
        yield unfinished
        _keep(file, unfinished)
        flush(unfinished)
        unfinished.replace(file)
        flush(file.parent)
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror or error}") from error
    finally:
        remove(unfinished)


def _keep(file: Path, unfinished: Path) -> None:
    """Give the mode and the owner of a file, if it is there, to the one that takes its place."""
    with suppress(FileNotFoundError):
        found, own = file.stat(), unfinished.stat()
        if (found.st_uid, found.st_gid) != (own.st_uid, own.st_gid):
            with suppress(OSError):
                os.chown(unfinished, found.st_uid, found.st_gid)
        unfinished.chmod(stat.S_IMODE(found.st_mode))


def flush(path: Path) -> None:
    """Wait until a file or a folder's list of names is on the disk.

    Raises:
        OSError: it cannot be opened or flushed.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path, pipes: bool = False, links: bool = True) -> BinaryIO:
    """Open a regular file for reading bytes; nothing else is opened, so that nothing is waited for.

    Args:
        path: the file.
        pipes: take a pipe too, which its user named by hand, as in ``/dev/stdin``.
        links: take what a link leads to, which else is no regular file.

    Raises:
        OSError: it is missing, unreadable, or a folder, device, fifo or socket.
    """
    if pipes and path.is_fifo():
        return path.open("rb")
    _check_regular(path, path.stat(follow_symlinks=links).st_mode)
    # It may have been replaced by now.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags if links else flags | getattr(os, "O_NOFOLLOW", 0))
    try:
        _check_regular(path, os.fstat(descriptor).st_mode)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _check_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file", path)

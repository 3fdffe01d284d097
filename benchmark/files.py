"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark.errors import InputError

__all__ = ["UNFINISHED", "flush", "unfinished_of", "writing"]

UNFINISHED = ".unfinished"
"""How the name of everything ends that is being written beside its place."""


@contextmanager
def writing(file: Path) -> Iterator[Path]:
    """Give a file beside ``file`` to be written, then flush it and put it in its place.

    The place keeps its mode. Two who write the same file do not meet: the last one counts.

    Raises:
        InputError: it cannot be written; what was there before still is.
    """
    unfinished = unfinished_of(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        with suppress(FileNotFoundError):
            unfinished.chmod(stat.S_IMODE(file.stat().st_mode))
        flush(unfinished)
        unfinished.replace(file)
        flush(file.parent)
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def unfinished_of(place: Path) -> Path:
    """Return a path beside ``place`` that nobody else has, hidden and told by its ending."""
    return place.with_name(f".{place.name[:100]}.{os.getpid()}-{secrets.token_hex(4)}{UNFINISHED}")


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

"""Files and folders that a person told a command to write."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import InputError
from benchmark.files import flush, open_regular, writing
from benchmark.folders import workplace

__all__ = ["Target", "is_stdout", "new_folder"]

LARGEST = 64 * 2**20
"""Bytes of the largest file that is written over."""

_STREAM = re.compile(r"/dev/(?:stdout|stderr)|/(?:dev|proc/self)/fd/\d+")
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}
_KINDS = (
    (stat.S_ISLNK, "a link; name what it leads to"),
    (stat.S_ISDIR, "a folder; name a file"),
    (stat.S_ISFIFO, "a pipe; name a file, or /dev/stdout"),
    (stat.S_ISSOCK, "a socket; name a file, or /dev/stdout"),
    (lambda mode: not stat.S_ISREG(mode), "a device; name a file, or /dev/stdout"),
)


def is_stdout(path: Path) -> bool:
    """Return whether a path stands for what is shown anyway: ``-`` or ``/dev/stdout``."""
    return str(path) == "-" or _stream(path) == 1


@dataclass(frozen=True)
class Target:
    """A file to write, as it was when the command began.

    Attributes:
        option: names it in errors, as in ``--out``.
        path: where it lies.
        content: what it held, ``None`` where there was none.
    """

    option: str
    path: Path
    content: bytes | None

    @classmethod
    def at(cls, option: str, path: Path, writable: bool = True) -> Target:
        """Look at a file before anything is computed for it.

        ``/dev/stderr`` and ``/dev/fd/<number>`` are written to as they are. Of anything else,
        links, devices and pipes are no files.

        Args:
            option: names it in errors.
            path: where it lies.
            writable: whether it has to be.

        Raises:
            InputError: it is no file, its folder is not there, or it cannot be written.
        """
        if _stream(path) is not None:
            return cls(option, path, None)
        content, folder = _content(option, path), path.absolute().parent
        if not folder.is_dir():
            raise InputError(f"{option} {path}: there is no folder {folder}; make it first")
        for place in (folder, *([] if content is None else [path])) if writable else ():
            if not os.access(place, os.W_OK):
                raise InputError(f"{option} {path}: {place} cannot be written to")
        return cls(option, path, content)

    def text(self) -> str:
        """Return what the file held.

        Raises:
            InputError: there was none, or it is no text.
        """
        if self.content is None:
            raise InputError(f"{self.option} {self.path}: there is no such file; make it first")
        try:
            return self.content.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"{self.option} {self.path}: is not UTF-8 text") from error

    def write(self, content: bytes) -> None:
        """Write the file whole; it keeps its mode.

        Raises:
            InputError: it cannot be written, or is not any more what it was when looked at.
        """
        stream = _stream(self.path)
        if stream is not None:
            return self._pass_on(stream, content)
        with writing(self.path) as unfinished:
            unfinished.write_bytes(content)
            flush(unfinished)
            if _content(self.option, self.path) != self.content:
                raise InputError(
                    f"{self.option} {self.path}: was changed meanwhile; give the command again"
                )

    def _pass_on(self, stream: int, content: bytes) -> None:
        try:
            with os.fdopen(os.dup(stream), "wb") as opened:
                opened.write(content)
        except OSError as error:
            raise InputError(f"{self.option} {self.path}: {error.strerror}") from error


def _stream(path: Path) -> int | None:
    """Return the number of the open stream that a path stands for."""
    text = str(path)
    if not _STREAM.fullmatch(text):
        return None
    return _STANDARD[text] if text in _STANDARD else int(text.rpartition("/")[2])


def _content(option: str, path: Path) -> bytes | None:
    """Return what a file holds, ``None`` where there is none."""
    try:
        _check_kind(option, path, path.lstat().st_mode)
        with open_regular(path, links=False) as opened:
            content = opened.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{option} {path}: {getattr(error, 'strerror', error)}") from error
    if len(content) > LARGEST:
        raise InputError(f"{option} {path}: is larger than {LARGEST >> 20} MiB; name another file")
    return content


def _check_kind(option: str, path: Path, mode: int) -> None:
    for holds, kind in _KINDS:
        if holds(mode):
            raise InputError(f"{option} {path}: is {kind}")


@contextmanager
def new_folder(option: str, path: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes ``path`` when all went well.

    Raises:
        InputError: ``path`` is there and not an empty folder, or cannot be written.
    """
    place = Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow a link
    try:
        empty = place.is_dir() and not place.is_symlink() and not any(place.iterdir())
        if os.path.lexists(place) and not empty:
            raise InputError(f"{option} {path}: is there already; name a new folder")
        if not place.parent.is_dir():
            raise InputError(f"{option} {path}: no such folder {place.parent}; make it first")
        with workplace(place) as unfinished:
            yield unfinished
            unfinished.rename(place)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{option} {path}: cannot be written: {reason}") from error

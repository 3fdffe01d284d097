"""A file of a table, plain, packed by gzip or inside of a zip archive, read from where it lies.

Nothing is unpacked to the disk, so no path of an archive leads anywhere.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from benchmark.data.archives import BROKEN, fault_of
from benchmark.data.sources.diagnose import complain, open_file
from benchmark.errors import InputError
from benchmark.plain_text import plain

__all__ = ["DAMAGED", "TableFile", "damaged", "members", "table_file"]

_GZIP = b"\x1f\x8b"
DAMAGED = (gzip.BadGzipFile, zlib.error, EOFError)
"""What reading from a file raises that gzip has packed and something has damaged."""


@dataclass(frozen=True)
class TableFile:
    """A file that can be opened again and again.

    Attributes:
        path: where it lies; the name of a member follows that of its archive.
        open: opens it for reading bytes; errors of the system and of the packing become
            ``InputError``.
    """

    path: Path
    open: Callable[[], AbstractContextManager[BinaryIO]]


def table_file(path: Path) -> TableFile:
    """Return a file that lies in a folder; what gzip has packed is read unpacked."""
    return TableFile(path, partial(_opened, path))


def members(path: Path, names: Iterable[str]) -> dict[str, TableFile]:
    """Return the files of these names, whatever folder of a zip archive they lie in.

    Raises:
        InputError: it is no zip archive; a file of such a name is there twice, packed with a
            password, a link, suspiciously large, or leads out of the archive.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    wanted = set(names)
    with open_file(path) as file:
        try:
            entries = zipfile.ZipFile(file).infolist()
        except BROKEN as error:
            raise _broken(path, error) from None
    for entry in entries:
        name = PurePosixPath(entry.filename).name
        if entry.is_dir() or name not in wanted:
            continue
        if (fault := fault_of(entry)) is not None:
            raise complain(path, None, f"its file {plain(entry.filename, 80)} {fault}")
        if name in found:
            both = f"{plain(found[name].filename, 80)} and {plain(entry.filename, 80)}"
            raise complain(path, None, f"it holds {plain(name, 40)} twice: {both}; keep one")
        found[name] = entry
    return {
        name: TableFile(path / entry.filename, partial(_opened_member, path, entry))
        for name, entry in found.items()
    }


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with open_file(path) as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as inner:
                yield cast(BinaryIO, inner)
        except DAMAGED as error:
            raise damaged(path, None, error) from None


@contextmanager
def _opened_member(path: Path, entry: zipfile.ZipInfo) -> Iterator[BinaryIO]:
    with open_file(path) as file:
        try:
            with zipfile.ZipFile(file).open(entry) as member:
                yield cast(BinaryIO, member)
        except BROKEN as error:
            raise _broken(path, error) from None


def _broken(path: Path, error: Exception) -> InputError:
    return complain(path, None, f"is damaged or no zip archive ({plain(str(error), 80)})")


def damaged(path: Path, line: int | None, error: Exception) -> InputError:
    """Return the error of a file that gzip has packed and that cannot be unpacked.

    Args:
        path: the file.
        line: from which on it cannot, where that is known.
        error: one of ``DAMAGED``.
    """
    reason = plain(str(error) or "it ends too early", 80)
    text = f"the gzip file is damaged or cut off ({reason}); fetch it anew"
    return complain(path, line, text)

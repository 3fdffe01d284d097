"""A file of a table, on its own or inside of a zip archive, read from where it lies.

Nothing is unpacked to the disk, so no path of an archive leads anywhere.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from benchmark.data.archives import BROKEN, fault_of
from benchmark.data.sources.diagnose import complain, open_file
from benchmark.errors import InputError
from benchmark.plain_text import plain

__all__ = ["TableFile", "members", "table_file"]


@dataclass(frozen=True)
class TableFile:
    """A file that can be opened again and again.

    Attributes:
        path: where it lies; the name of a member follows that of its archive.
        open: opens it for reading bytes; errors of the system and of the archive become
            ``InputError``.
    """

    path: Path
    open: Callable[[], AbstractContextManager[BinaryIO]]


def table_file(path: Path) -> TableFile:
    """Return a file that lies in a folder."""
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
        yield file


@contextmanager
def _opened_member(path: Path, entry: zipfile.ZipInfo) -> Iterator[BinaryIO]:
    with open_file(path) as file:
        try:
            with zipfile.ZipFile(file).open(entry) as member:
                yield member  # type: ignore[misc]
        except BROKEN as error:
            raise _broken(path, error) from None


def _broken(path: Path, error: Exception) -> InputError:
    return complain(path, None, f"is damaged or no zip archive ({plain(str(error), 80)})")

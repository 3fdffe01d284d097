"""Tables that all runs on a data set share: stored once beside the folders of their runs.

A table's name tells its content, so that a file once written never changes: runs made under other
rules have another one. Each run holds the checksum of the file that it stands on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pyarrow as pa

from benchmark.bounded_json import read_bounded
from benchmark.errors import BenchmarkError
from benchmark.results.parquet import from_bytes, to_bytes
from benchmark.results.possible_requests import check_shared
from benchmark.results.table import HARD, SHARED, Blocks, blocks_of, digest_of

__all__ = [
    "CHECKSUMS",
    "SharedTable",
    "SharedTables",
    "drop_unused",
    "file_of",
    "is_shared_name",
    "made_from",
    "unused",
]

CHECKSUMS = "checksums.json"
"""The file of a run that holds the checksums of all others, and of its shared table."""

_LARGEST = 2**30
_NAME = re.compile(r"requests-[0-9a-f]{12}\.parquet")


@dataclass(frozen=True)
class SharedTable:
    """A shared table as it lies on disk.

    Attributes:
        name: of the file.
        content: of the file.
    """

    name: str
    content: bytes

    @cached_property
    def checksum(self) -> str:
        """SHA-256 (hex) of the file."""
        return sha256(self.content).hexdigest()

    @cached_property
    def table(self) -> pa.Table:
        """The table itself, checked.

        Raises:
            BenchmarkError: it is no such table, or cannot be true.
        """
        table = from_bytes(self.content, SHARED, self.name, pa.schema([HARD]))
        try:
            check_shared(table, blocks_of(table))
        except BenchmarkError as error:
            raise BenchmarkError(f"{self.name}: {error}") from None
        return table

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The table for those who compute."""
        return self.table.to_pandas()

    @cached_property
    def blocks(self) -> Blocks:
        """Where the rows of each task and protocol stand."""
        return blocks_of(self.table)


class SharedTables:
    """Reads each shared table once, however many runs stand on it."""

    def __init__(self) -> None:
        self._read: dict[Path, SharedTable] = {}

    def at(self, file: Path) -> SharedTable:
        """Return the table of a file.

        Raises:
            OSError: it cannot be read.
            ValueError: it is larger than any such table, or no regular file.
        """
        if file not in self._read:
            self._read[file] = SharedTable(file.name, read_bounded(file, _LARGEST))
        return self._read[file]


def is_shared_name(name: str) -> bool:
    """Return whether a file of this name holds a shared table."""
    return _NAME.fullmatch(name) is not None


def file_of(run: Path, name: str) -> Path:
    """Return where the shared table of a run's folder lies: ``runs/<dataset>/<name>``."""
    return run.parent.parent / name


def made_from(table: pa.Table, run: Path) -> SharedTable:
    """Return the file that a run with this table stands on: the one that is there, or a new one.

    Another version of Parquet's writer may have written the same table in other bytes; these stay,
    as other runs hold their checksum.
    """
    name = f"requests-{digest_of(table)[:12]}.parquet"
    try:
        there = SharedTables().at(file_of(run, name))
        if there.table.equals(table):
            return there
    except (OSError, ValueError, BenchmarkError):
        pass
    return SharedTable(name, to_bytes(table))


def drop_unused(dataset: Path) -> None:
    """Remove the shared tables of a data set, ``runs/<dataset>``, that no run's checksums name.

    Runs that are just being written count, and so do those that cannot be read for whatever else.
    Who calls this has locked the folder.
    """
    for file in unused(dataset):
        file.unlink(missing_ok=True)


def unused(dataset: Path) -> list[Path]:
    """Return the shared tables of a data set that no run's checksums name.

    Where anything cannot be read there are none, as it may stand on any of them.
    """
    tables = [
        file for file in sorted(dataset.glob("requests-*.parquet")) if is_shared_name(file.name)
    ]
    try:
        named = "".join(_checksums_below(dataset)) if tables else ""
    except (OSError, ValueError):
        return []
    return [file for file in tables if file.name not in named]


def _checksums_below(dataset: Path) -> Iterator[str]:
    """Yield the texts of all checksums, those behind links and of unfinished runs too.

    Raises:
        OSError: a folder or a file cannot be read.
        ValueError: a file is too large for what it is, or no regular one.
    """
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(dataset, onerror=_raise, followlinks=True):
        try:
            about = Path(place).stat()
            if (about.st_dev, about.st_ino) in seen:
                folders.clear()
            elif CHECKSUMS in files:
                yield read_bounded(Path(place, CHECKSUMS), 2**20).decode("utf-8", "replace")
        except FileNotFoundError:  # what is left of a run goes away
            continue
        seen.add((about.st_dev, about.st_ino))


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error

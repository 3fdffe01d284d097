"""A table as its readers see it: names, rows in batches, and where a row stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from benchmark.data.sources.diagnose import complain
from benchmark.errors import did_you_mean
from benchmark.plain_text import plain

__all__ = ["Batches", "Table"]

Batches = Iterator[dict[str, pa.Array]]
"""Some rows at a time: columns of equal length by name."""


@dataclass(frozen=True)
class Table:
    """A file or a frame whose columns have names.

    Attributes:
        path: what errors call it.
        kind: what it is, in words.
        names: of its columns; ``None`` where only reading all of it tells (JSON lines).
        head: the line that names them, where there is one.
        read: from names, to the rows; raises ``InputError`` for what is malformed.
        line: from a row that was read (from 0) to its line in the file, or its number, from 1.
    """

    path: Path
    kind: str
    names: tuple[str, ...] | None
    read: Callable[[Sequence[str]], Batches]
    line: Callable[[int], int]
    head: int | None = None

    def need(self, columns: Sequence[str]) -> None:
        """Refuse a table without one of ``columns``, or with two of its name.

        Raises:
            InputError: there is such.
        """
        if self.names is None:
            return
        counts = Counter(self.names)
        for name in columns:
            count, called = counts[name], f"column '{plain(name, 40)}'"
            if not count:
                known = did_you_mean(name, map(plain, self.names))
                raise complain(self.path, self.head, f"{called} is missing{known}")
            if count > 1:
                raise complain(self.path, self.head, f"{called} is named twice; rename one")

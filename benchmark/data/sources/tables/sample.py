"""A look at a table of unknown columns: all rows are counted, some of them are kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.tables.cells import CellError, as_numbers, as_text, neat
from benchmark.data.sources.tables.json_lines import field_names
from benchmark.data.sources.tables.table import Table
from benchmark.data.sources.tables.times import Clock, Times

__all__ = ["Column", "Sample", "take_sample"]

_HEAD, _LATER, _MOST = 20_000, 500, 100_000
_MOST_COLUMNS = 500
_MOST_TYPES = 40


@dataclass(frozen=True)
class Column:
    """A column as far as it was looked at.

    Attributes:
        name: of it.
        raw: cells as the file has them.
        types: how often each value stands in the whole table, where there are few.
    """

    name: str
    raw: pa.ChunkedArray
    types: Counter[str] | None

    @cached_property
    def text(self) -> pa.Array:
        """The cells as text, null where nothing is."""
        parts = [_texts(chunk) for chunk in self.raw.chunks]
        return pa.chunked_array(parts, pa.large_string()).combine_chunks().drop_null()

    @cached_property
    def distinct(self) -> int:
        """How many values there are."""
        return int(pc.count_distinct(self.text).as_py())

    @cached_property
    def is_number(self) -> bool:
        """Whether all cells are numbers, and there are any."""
        try:
            for chunk in self.raw.chunks:
                as_numbers(chunk, ())
        except CellError:
            return False
        return len(self.text) > 0

    @property
    def times(self) -> Times | None:
        """The cells as times of a clock; ``None`` where they are none."""
        return self._times[0]

    @property
    def no_time(self) -> str:
        """Why the cells are no times of a clock."""
        return self._times[1]

    @cached_property
    def _times(self) -> tuple[Times | None, str]:
        clock = Clock()
        try:
            for chunk in self.raw.chunks:
                clock.add(chunk)
            times = clock.finish(lambda row: row + 1)
        except CellError as error:
            return None, str(error)
        except pa.ArrowException:
            return None, f"holds {self.raw.type}"
        return (None, "holds no times of a clock") if times.second is None else (times, "")

    @cached_property
    def letters(self) -> float:
        """Letters in a cell that has something, on average."""
        only = pc.replace_substring_regex(self.text, r"\P{L}", "")
        return float(pc.mean(pc.utf8_length(only)).as_py() or 0.0)

    @property
    def filled(self) -> float:
        """The share of cells that have something."""
        return len(self.text) / max(1, len(self.raw))


@dataclass(frozen=True)
class Sample:
    """What was seen of a table.

    Attributes:
        table: that was looked at.
        rows: of it.
        columns: by name.
        left_out: names of columns that were not looked at, and why.
    """

    table: Table
    rows: int
    columns: dict[str, Column]
    left_out: dict[str, str]


def take_sample(table: Table) -> Sample:
    """Read a table once; keep its head and some of what follows.

    Raises:
        InputError: it is malformed, has no rows, or has more than 500 columns.
    """
    names, left_out = _worth_a_look(table)
    if len(names) > _MOST_COLUMNS:
        raise complain(table.path, table.head, f"more than {_MOST_COLUMNS} columns; is it a table?")
    kept: dict[str, list[pa.Array]] = {name: [] for name in names}
    types: dict[str, Counter[str]] = {name: Counter() for name in names}
    rows = held = 0
    for batch in table.read(names):
        size = len(next(iter(batch.values())))
        wanted = min(size, _HEAD - rows if rows < _HEAD else _LATER, _MOST - held)
        for name, column in batch.items():
            kept[name].append(column.slice(0, wanted))
            if name in types:
                types[name].update(_counts(column))
                if len(types[name]) > _MOST_TYPES:
                    del types[name]
        rows, held = rows + size, held + wanted
    if not rows:
        raise complain(table.path, None, "the table holds no rows")
    return Sample(
        table,
        rows,
        {name: Column(name, _chunked(parts), types.get(name)) for name, parts in kept.items()},
        left_out,
    )


def _worth_a_look(table: Table) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the columns that have a name of their own and cells; and why others are left out."""
    if table.names is None:
        names, nested = field_names(table.path)
        return names, dict.fromkeys(nested, "holds objects; text or numbers are wanted")
    counts = Counter(table.names)
    left_out = {name: "is named twice; rename one" for name, k in counts.items() if k > 1 and name}
    if "" in counts and counts[""] > 1:  # as spreadsheets write empty columns
        left_out[""] = "has no name"
    names = tuple(name for name in counts if name not in left_out)
    if not names:
        table.need(list(left_out))
    return names, left_out


def _chunked(parts: list[pa.Array]) -> pa.ChunkedArray:
    """Return the parts as they are if they are of one type, else as text."""
    if len({part.type for part in parts}) > 1:
        parts = [_texts(part) for part in parts]
    return pa.chunked_array(parts)


def _texts(column: pa.Array) -> pa.Array:
    """Return cells as text; what no text can be made of counts as empty."""
    try:
        return neat(as_text(column), ())
    except (CellError, pa.ArrowException):
        return pa.nulls(len(column), pa.large_string())


def _counts(column: pa.Array) -> dict[str, int]:
    found = pc.value_counts(_texts(column))
    if len(found) > _MOST_TYPES + 1:
        return {str(number): 1 for number in range(_MOST_TYPES + 1)}
    pairs = zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)
    return {value: count for value, count in pairs if value is not None}

"""Tables of Parquet, each in one file or several, read in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark.data.sources.diagnose import LONGEST_LINE, complain, reading
from benchmark.data.sources.files.kinds import fits, is_text, many_of
from benchmark.errors import InputError, did_you_mean
from benchmark.files import open_regular
from benchmark.plain_text import plain

__all__ = ["ParquetTable", "real_numbers"]

_ROWS = 4096
"""Rows of a batch: with cells of ``LONGEST_LINE`` bytes at most 4 GB, with usual ones some MB."""
_BUFFER = 2**20


class ParquetTable:
    """A table whose rows lie in one file after the other.

    Args:
        paths: the files, in order.

    Raises:
        InputError: one of them is missing, no regular file, or no Parquet file.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._schemas: list[pa.Schema] = []
        rows = []
        for path in self.paths:
            with _parquet(path) as file:
                rows.append(file.metadata.num_rows)
                self._schemas.append(file.schema_arrow)
        self._ends = np.cumsum([0, *rows])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def has(self, column: str) -> bool:
        """Return whether any of the files has a column."""
        return any(column in schema.names for schema in self._schemas)

    def where(self, row: int) -> tuple[Path, int]:
        """Return the file of a row (from 0, over all files), and which of its rows it is, from 1.

        Raises:
            IndexError: the table has no such row.
        """
        for path, (begin, end) in zip(self.paths, pairwise(self._ends.tolist()), strict=True):
            if begin <= row < end:
                return path, row - begin + 1
        raise IndexError(row)

    def type_of(self, column: str) -> pa.DataType:
        """Return the type of a column, which is the same in all files.

        Raises:
            InputError: a file has no such column, or has it as another type.
        """
        types = []
        for path, schema in zip(self.paths, self._schemas, strict=True):
            if column not in schema.names:
                text = (
                    f"column '{plain(column, 40)}' is missing{did_you_mean(column, schema.names)}"
                )
                raise complain(path, None, text)
            types.append(schema.field(column).type)
            if types[-1] != types[0]:
                first, own = plain(str(types[0]), 80), plain(str(types[-1]), 80)
                where = plain(self.paths[0].name, 80)
                text = f"column '{plain(column, 40)}' is of type {own}, in {where} of type {first}"
                raise complain(path, None, text)
        return types[0]

    def need(self, columns: Mapping[str, pa.DataType]) -> None:
        """Check that there are columns, and that each holds what is declared, of whatever width.

        Raises:
            InputError: a file has no such column, or it holds something else.
        """
        for name, declared in columns.items():
            if not fits(self.type_of(name), declared):
                place = f"column '{plain(name, 40)}'"
                raise self.refused(place, self.type_of(name), many_of(declared))

    def refused(self, place: str, kind: pa.DataType, wanted: str) -> InputError:
        """Return the error of a column, or a field of it, that is of another type than wanted."""
        own = plain(str(kind), 80)
        return complain(self.paths[0], None, f"{place} must hold {wanted}, not {own}")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the first file."""
        return tuple(self._schemas[0].names)

    def batches(
        self, columns: Sequence[str], rows: int = _ROWS
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the first row of each batch, and the batch with ``columns`` only.

        Args:
            columns: to read.
            rows: of a batch; so many of its longest cells must fit into memory.

        Raises:
            InputError: a file is damaged, or changed meanwhile; a text is longer than
                ``LONGEST_LINE`` bytes.
        """
        for path, begin, end in zip(self.paths, self._ends, self._ends[1:], strict=False):
            row = int(begin)
            with _parquet(path) as file:
                for batch in file.iter_batches(rows, columns=list(columns)):
                    batch.validate(full=True)
                    _check_texts(path, row - int(begin), batch)
                    yield row, batch
                    row += len(batch)
            if row != int(end):
                text = f"{row - begin} rows where its footer tells of {end - begin}; fetch it anew"
                raise complain(path, None, text)


@contextmanager
def _parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a file; whatever is wrong with its bytes, then or while it is read, is one line."""
    with reading(path), open_regular(path) as raw:
        try:
            with pq.ParquetFile(raw, pre_buffer=False, buffer_size=_BUFFER) as file:
                yield file
        except (pa.ArrowException, ValueError, EOFError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            reason = plain(str(error).partition("\n")[0], 120)
            text = f"is no Parquet file, or is damaged or cut short ({reason}); fetch it anew"
            raise complain(path, None, text) from None


def _check_texts(path: Path, row: int, batch: pa.RecordBatch) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if is_text(column.type) and len(column):
            length = pc.binary_length(column)
            if (pc.max(length).as_py() or 0) > LONGEST_LINE:
                first = row + pc.index(length, pc.max(length)).as_py() + 1
                fault = f"{plain(name, 40)} is longer than {LONGEST_LINE:,} bytes; shorten it"
                raise complain(path, first, fault)


def real_numbers(values: pa.Array) -> NDArray[np.float64]:
    """Return numbers of any type as floats, with NaN where there is none."""
    return pc.fill_null(values.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)

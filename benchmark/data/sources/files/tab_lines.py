"""Lines of fields between tabs, as columns of text: by Arrow, block by block."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from benchmark.data.recognise import separator
from benchmark.data.sources.files.line_blocks import Block, Lines, blocks

__all__ = ["tab_tables"]


def tab_tables(lines: Lines, names: Sequence[str]) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Yield the numbers of lines, and their fields as columns of text.

    The first line may be a header that names the fields. Lines of another width are left out.

    Args:
        lines: the file; is told of the lines that are left out.
        names: of all fields, in order.

    Raises:
        InputError: the file cannot be read.
    """
    header = "\t".join(names).encode()
    for whole in blocks(lines.path):
        block = _without_header(whole, header)
        if len(block):
            lines.total += len(block)
            table = _at_once(block, names)
            yield (block.numbers, table) if table is not None else _one_by_one(lines, block, names)


def _without_header(block: Block, header: bytes) -> Block:
    line, _, rest = block.data.partition(b"\n")
    if block.first == 1 and line.removesuffix(b"\r") == header:
        return Block(2, rest)
    return block


def _at_once(block: Block, names: Sequence[str]) -> pa.Table | None:
    """Return a block's rows by Arrow, ``None`` where not every line is a well-formed one."""
    if block.data.startswith(b"\n") or b"\n\n" in block.data:
        return None  # Arrow takes an empty line for a row of empty fields.
    try:
        table = pacsv.read_csv(
            io.BytesIO(block.data),
            read_options=pacsv.ReadOptions(
                column_names=list(names), block_size=len(block.data) + 1, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(
                delimiter="\t",
                quote_char=False,
                double_quote=False,
                escape_char=False,
                ignore_empty_lines=False,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return table if table.num_rows == len(block) else None


def _one_by_one(
    lines: Lines, block: Block, names: Sequence[str]
) -> tuple[NDArray[np.int64], pa.Table]:
    numbers: list[int] = []
    rows: list[list[str]] = []
    for number, line in block.lines():
        text = lines.decoded(number, line)
        if text is None:
            continue
        cells = text.split("\t")
        if len(cells) != len(names):
            other = separator(text, "tabs", lambda parts: len(parts) == len(names))
            fault = f"{len(cells)} fields in place of {len(names)}, separated by tabs"
            lines.leave_out(number, other or fault)
            continue
        numbers.append(number)
        rows.append(cells)
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    arrays = [pa.array(list(column), pa.string()) for column in columns]
    return np.array(numbers, dtype=np.int64), pa.table(arrays, names=list(names))

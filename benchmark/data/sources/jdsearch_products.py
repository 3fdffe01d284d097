"""Products of JDsearch: names, brands and categories, whose words are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.codes import coded, first_rows
from benchmark.data.sources.files.delimited import Layout, delimited
from benchmark.data.sources.files.lines import Lines
from benchmark.data.sources.source import Texts
from benchmark.errors import did_you_mean
from benchmark.plain_text import plain

__all__ = ["BETWEEN_TERMS", "FIELDS", "read_products"]

_LEVELS = tuple(f"cate_{what}_{level}" for level in (1, 2, 3, 4) for what in ("id", "name"))
FIELDS = ("wid", "name", "brand_id", "brand_name", *_LEVELS, "shop_id")
LAYOUT = Layout(dict.fromkeys(FIELDS, pa.string()), "\t", header=None, latin_1=False)
BETWEEN_TERMS = "\x18"


def read_products(path: Path, wanted: Sequence[str], cleaning: Cleaning) -> Texts:
    """Read some columns of the products; of lines with one id the first is read.

    Args:
        path: the file.
        wanted: names of columns.
        cleaning: is told what is left out.

    Raises:
        InputError: there is no such column, or the file cannot be read.
    """
    names = [name for name in FIELDS[1:] if name in wanted]
    for name in wanted:
        if name not in names:
            text = f"items have no field '{plain(name, 40)}'{did_you_mean(name, FIELDS[1:])}"
            raise complain(path, None, text)
    lines, columns = Lines(path), {name: [pa.array([], pa.large_string())] for name in names}
    numbers: list[np.ndarray] = []
    ids: list[pa.Array] = []
    for number, table in delimited(lines, LAYOUT):
        named = pc.not_equal(table.column("wid"), "").to_numpy().astype(np.bool_)
        if not named.all():
            count = int((~named).sum())
            lines.leave_out(int(number[np.argmin(named)]), "wid is empty", count)
        whole = table.filter(pa.array(named))
        numbers.append(number[named])
        ids += whole.column("wid").chunks
        for name in names:
            text = pc.replace_substring(whole.column(name), BETWEEN_TERMS, " ")
            columns[name] += text.cast(pa.large_string()).chunks
    lines.tell(cleaning)
    code, distinct = coded(ids)
    first = first_rows(code)
    if len(first) < len(code):
        line = np.concatenate(numbers)
        again = int(np.setdiff1d(np.arange(len(code)), first)[0])
        fault = f"wid '{plain(distinct[int(code[again])].as_py(), 40)}' stands there again"
        told = f"{len(code) - len(first)} of {len(code)} lines"
        cleaning.report(path, int(line[again]), fault, told, "the first line of each is read")
    rows = pa.array(first)
    return Texts(distinct, {n: pa.concat_arrays(c).take(rows) for n, c in columns.items()})

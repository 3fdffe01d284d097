"""The folder that HyperSaR's preprocessing writes (Thonet et al., ECIR 2022; naver/hypersar).

``train.txt``, ``valid.txt`` and ``test.txt`` hold user, item and query; the query "-" marks a
recommendation. ``item_dict.txt`` and ``user_dict.txt`` give the raw id of each number.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.drawn_parts import in_order_of_lots
from benchmark.data.sources.files.codes import coded
from benchmark.data.sources.files.delimited import Layout, read_table
from benchmark.data.sources.source import TEST, TRAINING, VALIDATION, Interactions, Origin, Texts

__all__ = ["read_hypersar"]

_TEXT, _INT = pa.string(), pa.int32()
_ROWS = Layout({"user_id": _INT, "item_id": _INT, "query": _TEXT}, "\t", quotes=True)
_IDS = Layout({"raw": _TEXT, "id": _INT}, "\t", header=False)
_SIZE = Layout({"users": _INT, "items": _INT}, "\t", header=False)
_PARTS = {"train": TRAINING, "valid": VALIDATION, "test": TEST}
_NO_QUERY = "-"


def read_hypersar(
    files: Mapping[str, Path], seed: int, train_on_valid: bool, cleaning: Cleaning
) -> tuple[Interactions, Texts]:
    """Read the three parts; every row of a part that is held out becomes a request of its own.

    Args:
        files: all six of the folder, by name without ``.txt``.
        seed: orders the items that train, as the source has no order.
        train_on_valid: count ``valid.txt`` as training.
        cleaning: is told what is left out.

    Raises:
        InputError: malformed files, a number without a raw id, or sizes that do not agree.
    """
    users, items = _ids(files["user_dict"], cleaning), _ids(files["item_dict"], cleaning)
    size = read_table(files["data_size"], _SIZE, cleaning).to_pylist()[0]
    for name, ids in (("users", users), ("items", items)):
        if size[name] != len(ids):
            text = f"{size[name]} {name} where the dictionary has {len(ids)}"
            raise complain(files["data_size"], 1, text)
    tables = {name: read_table(files[name], _ROWS, cleaning) for name in _PARTS}
    for name, table in tables.items():
        for column, ids in (("user_id", users), ("item_id", items)):
            _check(files[name], table, column, len(ids))
    rows = pa.concat_tables(tables.values())
    part = np.repeat(list(_PARTS.values()), [len(t) for t in tables.values()]).astype(np.uint8)
    if train_on_valid:
        part[part == VALIDATION] = TRAINING
    query, queries = coded(rows.column("query"))
    searched = query != pc.index(queries, _NO_QUERY).as_py()
    alone = np.where(searched & (part != TRAINING), np.arange(len(rows)), -1)
    inter = Interactions(
        user=rows.column("user_id").to_numpy(),
        item=rows.column("item_id").to_numpy(),
        time=np.zeros(len(rows), dtype=np.int64),
        query=np.where(searched, query, -1).astype(np.int32),
        session=alone.astype(np.int32),
        users=users,
        items=items,
        queries=queries,
        sessions=pa.array([str(row) for row in range(len(rows))], type=_TEXT),
        row=np.arange(len(rows)),
        origin=_origin(files, tables),
    ).compact()
    return in_order_of_lots(inter, part, seed), Texts(inter.queries, {"query": inter.queries})


def _ids(path: Path, cleaning: Cleaning) -> pa.Array:
    """Return the raw ids in the order of their numbers.

    Raises:
        InputError: the numbers are not 0 and up, each once, or a raw id occurs twice.
    """
    table = read_table(path, _IDS, cleaning).sort_by("id")
    wrong = table.column("id").to_numpy() != np.arange(len(table))
    if wrong.any():
        line = table.column("line")[int(np.argmax(wrong))].as_py()
        raise complain(path, line, "the numbers behind the raw ids must be 0 and up, each once")
    raw = table.column("raw").combine_chunks()
    if len(raw.unique()) != len(raw):
        raise complain(path, None, "a raw id has two numbers")
    return raw


def _check(path: Path, table: pa.Table, column: str, known: int) -> None:
    values = table.column(column).to_numpy()
    wrong = (values < 0) | (values >= known)
    if wrong.any():
        first = int(np.argmax(wrong))
        count = f"{wrong.sum()} of {len(wrong)} rows"
        text = f"{column} {values[first]} is not in the dictionary ({count})"
        raise complain(path, table.column("line")[first].as_py(), text)


def _origin(files: Mapping[str, Path], tables: Mapping[str, pa.Table]) -> Origin:
    ends = np.cumsum([len(table) for table in tables.values()])

    def origin(row: int) -> tuple[Path, int]:
        which = int(np.searchsorted(ends, row, side="right"))
        name = list(tables)[which]
        place = row - int(ends[which]) + len(tables[name])
        return files[name], tables[name].column("line")[place].as_py()

    return origin

"""Format ``jdsearch``: a query of each user with what was shown for it, and what was done before.

Liu et al. (SIGIR 2023). A line of ``release_data.txt`` is a user, who has no other id than its
number. All words are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.jdsearch_log import read_log
from benchmark.data.sources.jdsearch_products import read_products
from benchmark.data.sources.jdsearch_rules import JDsearchRules
from benchmark.data.sources.reader import Reader, Wanted
from benchmark.data.sources.source import TEST, Interactions, Source, Texts
from benchmark.plain_text import plain

__all__ = ["READER"]


def _read(files: Mapping[str, Path], rules: JDsearchRules, wanted: Wanted) -> Source:
    """Read the log, and the products that it names or the shop has.

    Raises:
        InputError: malformed files, or nothing is left.
    """
    notes: list[str] = []
    path = files["log"]
    inter = read_log(path, rules, wanted.cleaning, notes)
    items = Texts(inter.items, {})
    if "products" in files:
        items = read_products(files["products"], wanted.columns, wanted.cleaning)
        inter, items = _together(inter, items, rules, wanted.cleaning, files["products"])
    if inter.grade is None or not (inter.grade > 0).any():
        raise complain(path, None, "the card's rules leave no event")
    tested = inter.part == TEST
    notes.append(
        f"{len(np.unique(inter.user[tested]))} of {len(inter.users)} users have a test query; times"
        " are each user's own, so no moment cuts all of them"
    )
    queries = Texts(inter.queries, {"query": inter.queries.cast(pa.large_string())})
    return Source(inter.compact(), items, queries, tuple(notes))


def _together(
    inter: Interactions, items: Texts, rules: JDsearchRules, cleaning: Cleaning, path: Path
) -> tuple[Interactions, Texts]:
    """Return the events and the products, each event of a product that is there."""
    listed = pc.is_in(inter.items, value_set=items.ids).to_numpy(zero_copy_only=False)
    if listed.all():
        return inter, items
    lost = inter.items.filter(pa.array(~listed))
    kept = listed[inter.item]
    fault = f"product '{plain(lost[0].as_py(), 40)}' of the log has no line"
    count = f"{len(lost)} of {len(listed)} products of the log, {(~kept).sum()} of {len(kept)} rows"
    if rules.missing == "drop":
        cleaning.notes.append(f"{plain(path.name, 80)}: {fault} ({count}); they are left out")
        return inter.only(kept), items
    cleaning.notes.append(f"{plain(path.name, 80)}: {fault} ({count}); they have no text")
    empty = pa.array([""], pa.large_string()).take(pa.array(np.zeros(len(lost), dtype=np.int64)))
    columns = {n: pa.concat_arrays([c, empty]) for n, c in items.columns.items()}
    return inter, Texts(pa.concat_arrays([items.ids, lost]), columns)


READER = Reader(needed=("log",), optional=("products",), rules=JDsearchRules, read=_read)

"""Format ``jdsearch``: a query of each user with what was shown for it, and what the user did before.

Liu et al. (SIGIR 2023). A line of ``release_data.txt`` is a user, who has no other id than its
number. All words are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain, shown
from benchmark.data.sources.jdsearch_log import read_log
from benchmark.data.sources.jdsearch_products import read_products
from benchmark.data.sources.reader import Reader, Rules, Wanted
from benchmark.data.sources.source import TEST, Interactions, Source, Texts

__all__ = ["READER", "JDsearchRules"]

Grade = Annotated[float, Field(ge=1e-6, le=1e6)]


class JDsearchRules(Rules):
    """What the paper leaves unsaid.

    Attributes:
        time: ``gaps`` adds up the published gaps, from 0 for each user's first event, in a unit
            that is not stated; ``positions`` counts events instead, so that the history is read as
            it is shipped, events of the test query's own moment included.
        sessions: ``runs`` takes a user's successive events of one query as one search; ``none``
            takes only what has one time.
        grades: of the events of histories, by type; a type that is not named is no event. The
            published labels of the test queries are 1 for a click, 2 for the cart, 3 for a purchase.
        missing: what becomes of products without metadata: ``keep``, without a text, or ``drop``.
    """

    time: Literal["gaps", "positions"] = "gaps"
    sessions: Literal["runs", "none"] = "runs"
    grades: dict[Literal["CLICK", "CART", "ORD", "FLW"], Grade] = Field(
        default={"CLICK": 1.0, "CART": 2.0, "ORD": 3.0, "FLW": 1.0}, min_length=1
    )
    missing: Literal["keep", "drop"] = "keep"


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
    return Source(inter.compact(), items, queries, (*wanted.cleaning.notes, *notes))


def _together(
    inter: Interactions, items: Texts, rules: JDsearchRules, cleaning: Cleaning, path: Path
) -> tuple[Interactions, Texts]:
    """Return the events and the products, each event of a product that is there."""
    listed = pc.is_in(inter.items, value_set=items.ids).to_numpy(zero_copy_only=False)
    if listed.all():
        return inter, items
    lost = inter.items.filter(pa.array(~listed))
    kept = listed[inter.item]
    fault = f"product '{shown(lost[0].as_py())}' of the log has no line"
    count = f"{len(lost)} of {len(listed)} products of the log, {(~kept).sum()} of {len(kept)} rows"
    if rules.missing == "drop":
        cleaning.notes.append(f"{shown(path.name)}: {fault} ({count}); they are left out")
        return inter.only(kept), items
    cleaning.notes.append(f"{shown(path.name)}: {fault} ({count}); they have no text")
    empty = pa.array([""], pa.large_string()).take(pa.array(np.zeros(len(lost), dtype=np.int64)))
    columns = {n: pa.concat_arrays([c, empty]) for n, c in items.columns.items()}
    return inter, Texts(pa.concat_arrays([items.ids, lost]), columns)


READER = Reader(needed=("log",), optional=("products",), rules=JDsearchRules, read=_read)

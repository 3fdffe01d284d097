"""Format ``synthetic``: reads no file, but draws a log of known truth from the card's rules.

What is drawn, and which facts are planted with it: ``docs/data/synthetic.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmark.data.sources.files.codes import coded
from benchmark.data.sources.reader import Reader, Wanted
from benchmark.data.sources.source import Interactions, Source, Texts
from benchmark.data.sources.synthetic.events import BLOCK, blocks
from benchmark.data.sources.synthetic.rules import SyntheticRules
from benchmark.data.sources.synthetic.truth import truth_of

__all__ = ["READER", "drawn"]

_NOWHERE = Path("synthetic")
"""Stands for the file that events come from, where one is told."""


def drawn(rules: SyntheticRules, block: int = BLOCK) -> Source:
    """Draw the source of some rules.

    Args:
        rules: of the card.
        block: events that are drawn together; the result is the same for any number.
    """
    truth = truth_of(rules)
    rows = rules.events + round(rules.duplicates * rules.events)
    user, item, query = (np.empty(rows, dtype=np.int32) for _ in range(3))
    time = np.empty(rows, dtype=np.int64)
    words, done = [pa.array([], pa.large_string())], 0
    for part in blocks(rules, truth, block):
        here = slice(done, done + len(part.user))
        user[here], item[here], time[here] = part.user, part.item, part.time
        query[here] = np.where(part.search, 0, -1)
        words.append(part.queries)
        done = here.stop
    codes, queries = coded(pa.chunked_array(words))
    query[query == 0] = codes
    items = _names("i", rules.items)
    inter = Interactions(
        user=user,
        item=item,
        time=time,
        query=query,
        session=np.full(rows, -1, dtype=np.int32),
        users=_names("u", rules.users),
        items=items,
        queries=queries,
        sessions=pa.array([], pa.large_string()),
        row=np.arange(rows),
        origin=lambda row: (_NOWHERE, row + 1),
    )
    texts = Texts(items, {"title": truth.titles(), "about": truth.abouts()})
    return Source(inter, texts, Texts(queries, {"query": queries}))


def _names(letter: str, count: int) -> pa.Array:
    """Return ids, the letter with a number each, from 0."""
    numbers = pa.array(np.arange(count)).cast(pa.large_string())
    return pa.compute.binary_join_element_wise(
        pa.scalar(letter, pa.large_string()), numbers, pa.scalar("", pa.large_string())
    )


def _read(files: Mapping[str, Path], rules: SyntheticRules, wanted: Wanted) -> Source:
    """Draw the events; there are no files."""
    return drawn(rules)


READER = Reader(needed=(), optional=(), rules=SyntheticRules, read=_read)

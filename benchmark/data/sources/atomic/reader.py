"""Format ``atomic``: RecBole's atomic files, read and brought into agreement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.compute as pc

from benchmark.data.sources.atomic.header import parse_header
from benchmark.data.sources.atomic.tables import read_ids, read_inter, read_texts
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain, open_file
from benchmark.data.sources.reader import Reader, Rules, Wanted
from benchmark.data.sources.source import Interactions, Source, Texts
from benchmark.data.sources.unused_queries import hold_words, told, unused_queries
from benchmark.plain_text import plain

__all__ = ["READER"]

_HEAD = 2**16
"""Bytes that are looked at to tell whether a field holds words."""


def _read(files: Mapping[str, Path], rules: Rules, wanted: Wanted) -> Source:
    """Read the files, of which those of items, queries and users may be missing.

    Raises:
        InputError: malformed files, or anything that would be cleaned where that is strict.
    """
    cleaning, look = wanted.cleaning, wanted.look
    inter = read_inter(files["inter"], wanted.grade, cleaning, look)
    if "user" in files:
        _check_users(inter, files["user"], wanted)
    items = queries = None
    if "item" in files:
        needed = {"item_id": "token"}
        items = read_texts(files["item"], "item_id", needed, cleaning, wanted.columns, look)
        inter = _listed_only(inter, "item", items, files["item"], cleaning)
    if "query" in files:
        needed = {"query_id": "token", "query": "token_seq"}
        queries = read_texts(files["query"], "query_id", needed, cleaning, (), look)
        inter = _listed_only(inter, "query", queries, files["query"], cleaning)
    elif len(inter.queries):
        asked = inter.query >= 0
        count = f"{asked.sum()} of {len(asked)} events"
        text = f"event with a query_id, but there is no .query file ({count})"
        raise complain(*inter.where(int(np.argmax(asked))), text)
    if not len(inter.queries):
        cleaning.notes.extend(_unused_queries(files["inter"]))
    return Source(inter, items or Texts(inter.items, {}), queries)


def _unused_queries(path: Path) -> Iterator[str]:
    """Yield a line for each field that looks like queries; only the first lines are read."""
    names = [field.name for field in parse_header(path, {}) if field.type.startswith("token")]
    wanted = unused_queries(names, ())
    if not wanted:
        return
    order = [field.name for field in parse_header(path, {})]
    with open_file(path) as file:
        lines = file.read(_HEAD).decode(errors="replace").split("\n")[1:-1]
    rows = [line.rstrip("\r").split("\t") for line in lines]
    for name in wanted:
        place = order.index(name)
        if hold_words([row[place] for row in rows if len(row) > place]):
            mend = "give each text a row in a .query file, and each event its query_id, if it is"
            yield f"{plain(path.name, 80)}: {told(name, mend)}"


def _listed_only(
    inter: Interactions,
    what: Literal["item", "query"],
    texts: Texts,
    file: Path,
    cleaning: Cleaning,
) -> Interactions:
    """Return the events whose item or query stands in its file, numbered as it stands there."""
    codes, ids = (inter.item, inter.items) if what == "item" else (inter.query, inter.queries)
    listed = texts.ids.cast(ids.type)
    place = pc.index_in(ids, value_set=listed)
    if not place.null_count:
        numbers = np.append(place.to_numpy().astype(np.int32, copy=False), np.int32(-1))[codes]
        if what == "item":
            return replace(inter, item=numbers, items=listed)
        return replace(inter, query=numbers, queries=listed)
    known = place.is_valid()
    lost = ~np.append(known.to_numpy(zero_copy_only=False), True)[codes]
    event, name = int(np.argmax(lost)), plain(file.name, 40)
    (path, line), value = inter.where(event), plain(ids[int(codes[event])].as_py(), 40)
    fault = f"{what}_id '{value}' is not in {name}"
    if lost.all():
        raise complain(path, line, f"{fault}, nor is that of any event; add them there")
    count = f"{lost.sum()} of {len(lost)} events, {known.false_count} ids"
    cleaning.report(path, line, fault, count, "they are left out")
    return inter.only(~lost).compact()


def _check_users(inter: Interactions, file: Path, wanted: Wanted) -> None:
    """Tell of users without a row; their events stay, as nothing else is taken from that file."""
    cleaning = wanted.cleaning
    listed = pc.is_in(inter.users, value_set=read_ids(file, "user_id", cleaning, wanted.look))
    lost = ~listed.to_numpy(zero_copy_only=False)
    if lost.any():
        event = int(np.argmax(lost[inter.user]))
        value = plain(inter.users[int(inter.user[event])].as_py(), 40)
        fault, count = (
            f"user_id '{value}' is not in {plain(file.name, 40)}",
            f"{lost.sum()} of {len(lost)} users",
        )
        cleaning.report(*inter.where(event), fault, count, "their events are kept")


READER = Reader(needed=("inter",), optional=("item", "query", "user"), rules=Rules, read=_read)

"""All files of a data set, read and brought into agreement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.data.card import Card, FileKind
from benchmark.data.sources.atomic import Interactions, Texts, read_ids, read_inter, read_texts
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.errors import InputError
from benchmark.plain_text import plain

__all__ = ["Sources", "read_sources"]


@dataclass(frozen=True)
class Sources:
    """What the files hold.

    Attributes:
        inter: the events, each of an item of ``items`` and with no query or one of ``queries``.
        items: the catalogue; without a file for it, the items of the events, without columns.
        queries: ``None`` where there is no file for them.
    """

    inter: Interactions
    items: Texts
    queries: Texts | None


def read_sources(card: Card, files: Mapping[FileKind, Path], cleaning: Cleaning) -> Sources:
    """Read the files of a card.

    Args:
        card: the data set's card.
        files: where its files lie.
        cleaning: is told what is cleaned.

    Raises:
        InputError: malformed files, or anything that would be cleaned where that is strict.
    """
    inter = read_inter(files["inter"], card.grade, cleaning)
    if "user" in files:
        _check_users(inter, files["user"], cleaning)
    items = queries = None
    if "item" in files:
        items = read_texts(files["item"], "item_id", {"item_id": "token"}, cleaning)
        for name in (*card.title_columns(), *card.text):
            if name not in items.columns:
                place = f"card '{card.name}': {plain(files['item'].name, 40)}"
                raise InputError(f"{place} has no field '{plain(name, 40)}'")
        inter = _listed_only(inter, "item", items, files["item"], cleaning)
    if "query" in files:
        needed = {"query_id": "token", "query": "token_seq"}
        queries = read_texts(files["query"], "query_id", needed, cleaning)
        inter = _listed_only(inter, "query", queries, files["query"], cleaning)
    elif len(inter.queries):
        asked = inter.query >= 0
        count = f"{asked.sum()} of {len(asked)} events"
        text = f"event with a query_id, but there is no .query file ({count})"
        raise complain(inter.path, inter.line(int(np.argmax(asked))), text)
    items = items or Texts(inter.items.to_pylist(), {})
    return Sources(inter, items, queries)


def _listed_only(
    inter: Interactions,
    what: Literal["item", "query"],
    texts: Texts,
    file: Path,
    cleaning: Cleaning,
) -> Interactions:
    """Return the events whose item or query stands in its file."""
    codes, ids = (inter.item, inter.items) if what == "item" else (inter.query, inter.queries)
    known = pc.is_in(ids, value_set=pa.array(texts.ids, type=pa.string()))
    lost = ~np.append(known.to_numpy(zero_copy_only=False), True)[codes]
    if not lost.any():
        return inter
    event, name = int(np.argmax(lost)), plain(file.name, 40)
    line, value = inter.line(event), plain(ids[int(codes[event])].as_py(), 40)
    fault = f"{what}_id '{value}' is not in {name}"
    if lost.all():
        raise complain(inter.path, line, f"{fault}, nor is that of any event; add them there")
    count = f"{lost.sum()} of {len(lost)} events, {known.false_count} ids"
    cleaning.report(inter.path, line, fault, count, "they are left out")
    return inter.only(~lost).compact()


def _check_users(inter: Interactions, file: Path, cleaning: Cleaning) -> None:
    """Tell of users without a row; their events stay, as nothing else is taken from that file."""
    listed = pc.is_in(inter.users, value_set=read_ids(file, "user_id", cleaning))
    lost = ~listed.to_numpy(zero_copy_only=False)
    if lost.any():
        event = int(np.argmax(lost[inter.user]))
        value = plain(inter.users[int(inter.user[event])].as_py(), 40)
        fault, count = (
            f"user_id '{value}' is not in {plain(file.name, 40)}",
            f"{lost.sum()} of {len(lost)} users",
        )
        cleaning.report(inter.path, inter.line(event), fault, count, "their events are kept")

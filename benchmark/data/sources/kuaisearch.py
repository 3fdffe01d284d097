"""Format ``kuaisearch``: the JSON lines of KuaiSearch (arXiv 2602.11518), searches in a shop.

A search is a user, a session, a time index and words, in either of two tables: ``recall`` has it in
one line with lists of items, ``rank`` in a line for each item, with what the user had clicked and
bought lately. ``docs/data/kuaisearch.md`` tells every rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.json_lines import json_tables
from benchmark.data.sources.files.lines import Lines
from benchmark.data.sources.kuaisearch_tables import Log, read_rank, read_recall
from benchmark.data.sources.logged_requests import LoggedRequests, ids_of, interactions
from benchmark.data.sources.reader import Reader, Rules, Wanted
from benchmark.data.sources.source import Origin, Source, Texts
from benchmark.plain_text import plain

__all__ = ["READER", "KuaiSearchRules"]

Grade = Annotated[float, Field(ge=1e-6, le=1e6)]
_RANK = 2**48
"""Added to the line numbers of ``rank``, to tell them from those of ``recall``."""


class KuaiSearchRules(Rules):
    """What a card may decide about KuaiSearch.

    Attributes:
        requests: the table that tells what was shown: ``recall`` or ``rank``.
        clicked: grade of an item that was clicked; likewise ``purchased``, the higher counts.
        recent: which of the items that ``rank`` tells a search with stand in histories, as the
            users' other side: those ``clicked``, those and the purchased (``both``), or none
            (``ignore``). Without the table ``rank`` there are none.
    """

    requests: Literal["recall", "rank"] = "recall"
    clicked: Grade = 1.0
    purchased: Grade = 1.0
    recent: Literal["clicked", "both", "ignore"] = "clicked"


@dataclass(frozen=True)
class _Catalogue:
    """The items.

    Attributes:
        texts: their table.
        number: int64 ``[items]``, item_id, ascending; ``row`` has its rows of the table.
    """

    texts: Texts
    number: NDArray[np.int64]
    row: NDArray[np.int64]

    def rows(self, number: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of items by item_id, -1 where there is none."""
        if not len(self.number):
            return np.full(len(number), -1)
        place = np.minimum(np.searchsorted(self.number, number), len(self.number) - 1)
        return np.where(self.number[place] == number, self.row[place], -1)


def _read(files: Mapping[str, Path], rules: KuaiSearchRules, wanted: Wanted) -> Source:
    """Read the searches and the items; of these only the texts that the card names.

    Raises:
        InputError: malformed files, or under ``strict`` anything that would be cleaned.
    """
    if rules.requests not in files:
        needed = f"rules.requests is '{rules.requests}', so files must name '{rules.requests}'"
        raise complain(files["items"], None, needed)
    cleaning = wanted.cleaning
    catalogue = _read_items(files["items"], wanted.columns, cleaning)
    logs: dict[str, Log] = {}
    if rules.requests == "recall":
        logs["recall"] = read_recall(files["recall"], rules.clicked, rules.purchased, cleaning)
    if "rank" in files and (rules.requests == "rank" or rules.recent != "ignore"):
        shows = rules.requests == "rank"
        grades = (rules.clicked, rules.purchased) if shows else None
        logs["rank"] = read_rank(files["rank"], grades, rules.recent, cleaning)
    log = _merged(files, logs, catalogue, cleaning)
    if not (log.grade > 0).any():
        path = files[rules.requests]
        raise complain(path, None, "no search has an item that was clicked or purchased")
    if "users" in files:
        _check_users(files["users"], log, _origin(files), cleaning)
    inter, told = interactions(log, _origin(files), steps=0)  # time_index is no clock
    queries = Texts(inter.queries, {"query": inter.queries.cast(pa.large_string())})
    return Source(inter, catalogue.texts, queries, told)


def _read_items(path: Path, wanted: tuple[str, ...], cleaning: Cleaning) -> _Catalogue:
    """Read the items; a name that is UNKNOWN is none, and of several lines of one the first."""
    numbers, lines = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    columns = list(dict.fromkeys(wanted))
    parts: dict[str, list[pa.Array]] = {name: [] for name in columns}
    schema = pa.schema({"item_id": pa.int64(), **dict.fromkeys(columns, pa.string())})
    for line, table in json_tables(Lines(path, refuse=True), schema, exact=True):
        number = table.column("item_id")
        if number.null_count:
            place = pc.index(pc.is_null(number), True).as_py()
            raise complain(path, int(line[place]), "item_id is missing")
        numbers.append(number.to_numpy())
        lines.append(line)
        for name in columns:
            cell = pc.fill_null(table.column(name).cast(pa.large_string()), "")
            parts[name] += pc.if_else(pc.equal(cell, "UNKNOWN"), "", cell).chunks
    number, line = np.concatenate(numbers), np.concatenate(lines)
    distinct, first = np.unique(number, return_index=True)
    texts = Texts(
        pc.cast(pa.array(number), pa.string()),
        {
            name: pa.chunked_array(parts.pop(name), pa.large_string()).combine_chunks()
            for name in columns
        },
    )
    if len(distinct) < len(number):
        again = np.setdiff1d(np.arange(len(number)), first)
        fault = f"item_id {number[again[0]]} is there already"
        count = f"{len(again)} of {len(number)} items"
        cleaning.report(path, int(line[again[0]]), fault, count, "the first of each is kept")
        kept = np.sort(first)
        texts, number = texts.take(kept), number[kept]
        distinct, first = np.unique(number, return_index=True)
    return _Catalogue(texts, distinct, first)


def _merged(
    files: Mapping[str, Path], logs: Mapping[str, Log], catalogue: _Catalogue, cleaning: Cleaning
) -> LoggedRequests:
    """Return the searches of all tables; lines of one user, session, time and query are one."""
    whole = list(logs.values())
    user, session, time, part = (
        np.concatenate([getattr(each, name) for each in whole])
        for name in ("user", "session", "time", "part")
    )
    row = np.concatenate([each.line + (_RANK if n == "rank" else 0) for n, each in logs.items()])
    coded = pa.chunked_array([w for each in whole for w in each.words.chunks], pa.string())
    coded = coded.combine_chunks().dictionary_encode()
    query = coded.indices.to_numpy()
    order = np.lexsort((row, part, query, time, session, user))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = False
    for key in (user, session, time, query, part):
        new[1:] |= np.diff(key[order]) != 0
    label = np.empty(len(order), dtype=np.int64)
    label[order] = np.cumsum(new) - 1
    first = order[new]
    begins = np.cumsum([0, *(len(each.user) for each in whole)])
    shown, recent = (
        _items(files, logs, column, begins, catalogue, cleaning) for column in ("item", "recent")
    )
    codes, users = ids_of(user[first])
    return LoggedRequests(
        user=codes,
        time=time[first],
        query=query[first],
        part=part[first],
        row=row[first],
        request=label[shown[0]],
        item=shown[1].astype(np.int32),
        grade=shown[2],
        recent_request=label[recent[0]],
        recent_item=recent[1].astype(np.int32),
        users=users,
        items=catalogue.texts.ids,
        queries=coded.dictionary,
    )


def _items(
    files: Mapping[str, Path],
    logs: Mapping[str, Log],
    column: Literal["item", "recent"],
    begins: NDArray[np.int64],
    catalogue: _Catalogue,
    cleaning: Cleaning,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return search, row of the catalogue and grade of items; tell of those that are not there."""
    found = []
    for (name, log), begin in zip(logs.items(), begins, strict=False):
        owner = log.owner if column == "item" else log.recent_owner
        number = getattr(log, column)
        row = catalogue.rows(number)
        lost = row < 0
        if lost.any():
            first = int(np.argmax(lost))
            fault = f"item_id {number[first]} is not in {plain(files['items'].name, 40)}"
            what = "shown" if column == "item" else "recent"
            count = f"{lost.sum()} of {len(lost)} {what} items"
            line = int(log.line[owner[first]])
            cleaning.report(files[name], line, fault, count, "they are left out")
        grade = log.grade if column == "item" else np.ones(len(number), dtype=np.float32)
        found.append((owner[~lost] + begin, row[~lost], grade[~lost]))
    owner, row, grade = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return owner, row, grade


def _origin(files: Mapping[str, Path]) -> Origin:
    def find(row: int) -> tuple[Path, int]:
        return (files["rank"], row - _RANK) if row >= _RANK else (files["recall"], row)

    return find


def _check_users(path: Path, log: LoggedRequests, origin: Origin, cleaning: Cleaning) -> None:
    """Tell of users without a line; their events stay, as nothing else is taken from that file."""
    schema = pa.schema({"user_id": pa.int64()})
    tables = [table for _, table in json_tables(Lines(path, refuse=True), schema, exact=True)]
    listed = pa.concat_tables(tables).column(0)
    number = log.users.cast(pa.int64())
    lost = ~pc.is_in(number, value_set=listed.combine_chunks()).to_numpy(zero_copy_only=False)
    if lost.any():
        first = int(np.argmax(lost[log.user]))
        fault = f"user_id {number[int(log.user[first])]} is not in {plain(path.name, 40)}"
        count = f"{lost.sum()} of {len(lost)} users"
        cleaning.report(*origin(int(log.row[first])), fault, count, "their events are kept")


READER = Reader(
    needed=("items",), optional=("recall", "rank", "users"), rules=KuaiSearchRules, read=_read
)

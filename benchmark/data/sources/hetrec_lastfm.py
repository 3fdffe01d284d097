"""Format ``hetrec-lastfm``: listens and user-typed tags of Last.fm (HetRec 2011), as one joint log.

A tag that a user gave an artist is a search of the user for that artist, with the tag as the query;
an artist that a user listened to and never tagged is a recommendation. Files, rules and what they
leave open: ``docs/data/hetrec-lastfm.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.drawn_parts import in_order_of_lots, parts_by_lot
from benchmark.data.sources.files.codes import coded
from benchmark.data.sources.files.delimited import Layout, read_table
from benchmark.data.sources.hypersar import read_hypersar
from benchmark.data.sources.reader import Reader, Rules, Wanted
from benchmark.data.sources.source import TEST, TRAINING, Interactions, Source, Texts
from benchmark.errors import InputError
from benchmark.plain_text import plain

__all__ = ["READER", "LastfmRules"]

_TEXT = pa.string()
_ARTISTS = Layout({"id": _TEXT, "name": _TEXT, "url": None, "pictureURL": None}, "\t")
_TAGS = Layout({"tagID": _TEXT, "tagValue": _TEXT}, "\t")
_LISTENS = Layout({"userID": _TEXT, "artistID": _TEXT, "weight": None}, "\t")
_TAGGED = Layout(
    {
        "userID": _TEXT,
        "artistID": _TEXT,
        "tagID": _TEXT,
        "day": None,
        "month": None,
        "year": pa.int64(),
    },
    "\t",
)
_YEARS = (2002, 2011)
"""From Last.fm's first year to the data set's."""
_PUBLISHED = ("artists", "tags", "user_artists", "user_taggedartists")
_HYPERSAR = ("train", "valid", "test", "item_dict", "user_dict", "data_size")


class LastfmRules(Rules):
    """The rules of ``hetrec-lastfm``.

    Attributes:
        protocol: ``joint`` reads the published files; ``hypersar`` reads the folder that HyperSaR's
            preprocessing writes, in which every row held out is a request of its own.
        validation: ``joint``: share of each user's artists that validate, rounded down.
        test: ``joint``: likewise, that test.
        seed: of the lot by which artists are held out, and training events are ordered.
        min_users: ``joint``: a tag that fewer users typed is personal and dropped.
        nameless: ``joint``: whether artists without a name stay, or their events are dropped.
        valid: ``hypersar``: whether ``valid.txt`` is asked, or trained on as in the published runs.
    """

    protocol: Literal["joint", "hypersar"] = "joint"
    validation: Annotated[float, Field(ge=0, lt=0.5)] = 0.2
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    min_users: Annotated[int, Field(ge=1)] = 2
    nameless: Literal["keep", "drop"] = "keep"
    valid: Literal["ask", "train"] = "ask"


def _read(files: Mapping[str, Path], rules: LastfmRules, wanted: Wanted) -> Source:
    """Read the files of the protocol.

    Raises:
        InputError: a file of the protocol is not named by the card, or files are malformed.
    """
    for name in _HYPERSAR if rules.protocol == "hypersar" else _PUBLISHED:
        if name not in files:
            raise InputError(f"files must name '{name}' for protocol {rules.protocol}")
    names = _names(files["artists"], wanted.cleaning) if "artists" in files else None
    if rules.protocol == "hypersar":
        inter, queries = read_hypersar(files, rules.seed, rules.valid == "train", wanted.cleaning)
    else:
        assert names is not None
        inter, queries = _joint(files, rules, names, wanted.cleaning)
    items = Texts(inter.items, {} if names is None else {"name": _looked_up(inter.items, names)})
    return Source(inter, items, queries)


def _names(path: Path, cleaning: Cleaning) -> pa.Table:
    """Return the artists' names, the first of each id."""
    table = read_table(path, _ARTISTS, cleaning)
    _, first = np.unique(coded(table.column("id"))[0], return_index=True)
    return table.take(pa.array(np.sort(first)))


def _looked_up(ids: pa.Array, names: pa.Table) -> pa.Array:
    """Return the name of each id, "" where there is none."""
    place = pc.index_in(ids, value_set=names.column("id").combine_chunks())
    return pc.fill_null(names.column("name").combine_chunks().take(place), "")


def _joint(
    files: Mapping[str, Path], rules: LastfmRules, names: pa.Table, cleaning: Cleaning
) -> tuple[Interactions, Texts]:
    tagged = _with_words(
        read_table(files["user_taggedartists"], _TAGGED, cleaning), files, cleaning
    )
    listens = read_table(files["user_artists"], _LISTENS, cleaning)
    inter, is_listen = _all_events(files, tagged, listens)
    pair = inter.user.astype(np.int64) * len(inter.items) + inter.item
    keep = ~(is_listen & np.isin(pair, pair[~is_listen]))
    keep &= is_listen | ~_personal(inter, rules.min_users, cleaning)
    keep &= _named(inter, keep, names, rules, cleaning)
    if not keep.any():
        raise complain(files["user_artists"], None, "no event is left by the rules of the card")
    inter = _held_out(inter.only(keep).compact(), rules)
    queries = Texts(inter.queries, {"query": inter.queries})
    return inter, queries


def _with_words(tagged: pa.Table, files: Mapping[str, Path], cleaning: Cleaning) -> pa.Table:
    """Return the assignments with the words of their tags as column ``query``."""
    path = files["user_taggedartists"]
    tags = read_table(files["tags"], _TAGS, cleaning)
    place = pc.index_in(tagged.column("tagID"), value_set=tags.column("tagID").combine_chunks())
    words = pc.utf8_trim_whitespace(tags.column("tagValue").combine_chunks())
    words = pc.fill_null(words.take(place.combine_chunks()), "")
    empty = pc.equal(words, "").to_numpy(zero_copy_only=False)
    if empty.any():
        first = int(np.argmax(empty))
        fault = f"tagID '{plain(tagged.column('tagID')[first].as_py(), 40)}' has no words in tags"
        count = f"{empty.sum()} of {len(empty)} tag assignments"
        line = tagged.column("line")[first].as_py()
        cleaning.report(path, line, fault, count, "they are left out")
    _tell_of_years(path, tagged, cleaning)
    return tagged.append_column("query", words).filter(pa.array(~empty))


def _tell_of_years(path: Path, tagged: pa.Table, cleaning: Cleaning) -> None:
    year = tagged.column("year").to_numpy()
    odd = (year < _YEARS[0]) | (year > _YEARS[1])
    if odd.any():
        line = tagged.column("line")[int(np.argmax(odd))].as_py()
        cleaning.notes.append(
            f"{plain(path.name, 40)}:{line}: {odd.sum()} of {len(odd)} tag assignments are dated"
            f" {year[odd].min()} to {year[odd].max()}; they are kept, as no date is used"
        )


def _all_events(
    files: Mapping[str, Path], tagged: pa.Table, listens: pa.Table
) -> tuple[Interactions, NDArray[np.bool_]]:
    """Return all tag assignments, then all listens; and which are listens."""

    def both(name: str) -> tuple[NDArray[np.int32], pa.Array]:
        return coded(pa.chunked_array([*tagged.column(name).chunks, *listens.column(name).chunks]))

    (user, users), (item, items) = both("userID"), both("artistID")
    query, queries = coded(tagged.column("query"))
    lines = [tagged.column("line").to_numpy(), listens.column("line").to_numpy()]
    first = int(lines[0].max(initial=0)) + 1
    paths = (files["user_taggedartists"], files["user_artists"])
    no_query = np.full(len(listens), -1, dtype=np.int32)
    inter = Interactions(
        user=user,
        item=item,
        time=np.zeros(len(user), dtype=np.int64),
        query=np.concatenate([query, no_query]),
        session=np.full(len(user), -1, dtype=np.int32),
        users=users,
        items=items,
        queries=queries,
        sessions=pa.array([], type=_TEXT),
        row=np.concatenate([lines[0], lines[1] + first]),
        origin=lambda row: (paths[0], row) if row < first else (paths[1], row - first),
    )
    return inter, np.arange(len(user)) >= len(tagged)


def _personal(inter: Interactions, least: int, cleaning: Cleaning) -> NDArray[np.bool_]:
    """Return which events have a tag that fewer than ``least`` users typed."""
    searched = inter.query >= 0
    keys = inter.query[searched].astype(np.int64) * len(inter.users) + inter.user[searched]
    typed = np.bincount(np.unique(keys) // len(inter.users), minlength=len(inter.queries))
    personal = np.append(typed < least, False)[inter.query]
    if personal.any():
        cleaning.notes.append(
            f"{int((typed < least).sum())} of {len(typed)} tags were typed by fewer than {least}"
            f" users: personal, no queries ({personal.sum()} of {searched.sum()} tag assignments"
            " are left out)"
        )
    return personal


def _named(
    inter: Interactions,
    keep: NDArray[np.bool_],
    names: pa.Table,
    rules: LastfmRules,
    cleaning: Cleaning,
) -> NDArray[np.bool_]:
    """Return which events stay by the rule for artists without a name."""
    nameless = pc.equal(_looked_up(inter.items, names), "").to_numpy(zero_copy_only=False)
    lost = nameless[inter.item] & keep
    if not lost.any():
        return keep
    artists = len(np.unique(inter.item[lost]))
    fate = "stay" if rules.nameless == "keep" else "are left out"
    cleaning.notes.append(
        f"{artists} artists have no name ({lost.sum()} of {keep.sum()} events); they {fate}"
    )
    return keep if rules.nameless == "keep" else keep & ~lost


def _held_out(inter: Interactions, rules: LastfmRules) -> Interactions:
    """Return the events split by lot, with sessions that make the protocol's requests.

    What validates of a user is one session, and what tests another: so what was recommended in it
    is one request, and what was tagged alike is one search.
    """
    part = parts_by_lot(inter, rules.validation, rules.test, rules.seed)
    tested = (part == TEST) * len(inter.users)
    session = np.where(part == TRAINING, -1, inter.user + tested).astype(np.int32)
    users = inter.users.to_pylist()
    sessions = [f"{user} {name}" for name in ("validation", "test") for user in users]
    inter = replace(inter, session=session, sessions=pa.array(sessions, type=_TEXT))
    return in_order_of_lots(inter, part, rules.seed)


READER = Reader(needed=(), optional=(*_PUBLISHED, *_HYPERSAR), rules=LastfmRules, read=_read)

"""Format ``movielens``: ratings as recommendations, and tags as searches that users typed.

Files, rules and what they leave open: ``docs/data/movielens.md``.
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
from benchmark.data.sources.files.codes import coded
from benchmark.data.sources.files.delimited import Layout, read_table
from benchmark.data.sources.reader import Reader, Rules, Wanted
from benchmark.data.sources.source import Interactions, Source, Texts
from benchmark.plain_text import plain

__all__ = ["LABELS", "READER", "MovieLensRules"]

Version = Literal["100k", "1m", "10m", "20m", "25m", "latest"]
LABELS = (
    *("owned", "own", "i own", "own it", "my collection", "library", "dvd", "dvds", "my dvds"),
    *("dvd video", "dvd r", "dvd ram", "blu ray", "bluray", "vhs", "divx", "laserdisc"),
    *("to see", "to watch", "want to see", "want to watch", "must see", "wishlist", "wish list"),
    *("seen", "seen it", "already seen", "watched", "rewatch", "see again", "watch again"),
    *("netflix", "netflix queue", "in netflix queue", "rented", "borrowed", "bought", "tivo"),
)
"""Tags about a person's copy of a film or plans with it, in lower case, blanks for hyphens."""
_LONE_NUMBER = r"^[#]?[0-9]+([.,/:][0-9]+)?[%]?$"
_YEAR = r"^(?P<title>.*?)\s*\((?P<year>[0-9]{4})\)\s*$"
_NO_GENRES = "(no genres listed)"
_INT, _TEXT = pa.int32(), pa.string()
_GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance"),
    *("Sci-Fi", "Thriller", "War", "Western"),
)


class MovieLensRules(Rules):
    """The rules of ``movielens``.

    Attributes:
        version: whose layout the files have; ``latest`` is that of ``ml-latest`` and
            ``ml-latest-small`` too.
        min_rating: a lower rating is no event.
        burst: seconds; a tag that its user gives again within them of the last time goes on with
            the same search.
        labels: tags that are personal labels and no queries, compared in lower case with blanks
            for hyphens and underscores.
        lone_numbers: whether a tag that is a number and nothing else is a query.
    """

    version: Version = "latest"
    min_rating: Annotated[float, Field(ge=0, le=5)] = 0.0
    burst: Annotated[int, Field(ge=0, le=10**9)] = 600
    labels: tuple[str, ...] = LABELS
    lone_numbers: Literal["drop", "keep"] = "drop"


def _layouts(version: Version) -> dict[str, Layout]:
    """Return the layouts of ratings, tags and movies."""
    by = {"100k": "\t", "1m": "::", "10m": "::"}.get(version, ",")
    header, quotes = by == ",", by == ","

    def table(fields: Mapping[str, pa.DataType | None], separator: str = by) -> Layout:
        return Layout(fields, separator, header, quotes)

    pair = {"userId": _INT, "movieId": _INT}
    movies: dict[str, pa.DataType | None] = {"movieId": _INT, "title": _TEXT, "genres": _TEXT}
    if version == "100k":
        unread: dict[str, pa.DataType | None] = dict.fromkeys(("release", "video", "url"))
        movies = {"movieId": _INT, "title": _TEXT, **unread, **dict.fromkeys(_GENRES_100K, _TEXT)}
    return {
        "ratings": table({**pair, "rating": pa.float32(), "timestamp": pa.int64()}),
        "tags": table({**pair, "tag": _TEXT, "timestamp": pa.int64()}),
        "movies": table(movies, "|" if version == "100k" else by),
    }


def _read(files: Mapping[str, Path], rules: MovieLensRules, wanted: Wanted) -> Source:
    """Read ratings, films, and tags where a card names them.

    Raises:
        InputError: malformed files, or no event is left.
    """
    cleaning, layouts = wanted.cleaning, _layouts(rules.version)
    items = _films(files["movies"], layouts["movies"], cleaning)
    tables = {
        name: _known(files[name], read_table(files[name], layouts[name], cleaning), items, cleaning)
        for name in ("tags", "ratings")
        if name in files
    }
    inter, is_rating = _all_events(files, tables)
    pair = inter.user.astype(np.int64) * len(inter.items) + inter.item
    keep = ~(is_rating & _among(pair, np.unique(pair[~is_rating])))
    stars = tables["ratings"].column("rating").to_numpy()
    keep[is_rating] &= stars >= rules.min_rating
    keep &= is_rating | _are_queries(inter, rules, cleaning)
    if not keep.any():
        raise complain(files["ratings"], None, "no event is left by the rules of the card")
    inter = _in_bursts(inter.only(keep).compact(), rules.burst)
    queries = Texts(inter.queries, {"query": inter.queries}) if "tags" in files else None
    return Source(inter, items, queries)


def _films(path: Path, layout: Layout, cleaning: Cleaning) -> Texts:
    """Return the catalogue: title without its year, year, and genres between blanks."""
    table = read_table(path, layout, cleaning)
    ids = table.column("movieId").cast(_TEXT).combine_chunks()
    codes, _ = coded(table.column("movieId"))
    first = np.sort(np.unique(codes, return_index=True)[1])
    if len(first) < len(codes):
        again = int(np.setdiff1d(np.arange(len(codes)), first)[0])
        fault = f"movieId '{ids[again].as_py()}' stands there a second time"
        count = f"{len(codes) - len(first)} of {len(codes)} rows"
        line = table.column("line")[again].as_py()
        cleaning.report(path, line, fault, count, "the first of each is kept")
    whole = pc.utf8_trim_whitespace(table.column("title").combine_chunks())
    parts = pc.extract_regex(whole, _YEAR)
    title = pc.fill_null(pc.struct_field(parts, "title"), whole)
    year = pc.fill_null(pc.struct_field(parts, "year"), "")
    if "genres" in table.column_names:
        genres = pc.replace_substring(table.column("genres").combine_chunks(), _NO_GENRES, "")
        genres = pc.replace_substring(genres, "|", " ")
    else:
        flags = [table.column(name).combine_chunks() for name in _GENRES_100K]
        words = [
            pc.if_else(pc.equal(flag, "1"), name, "")
            for flag, name in zip(flags, _GENRES_100K, strict=True)
        ]
        joined = pc.binary_join_element_wise(*words, " ")
        genres = pc.utf8_trim_whitespace(pc.replace_substring_regex(joined, " +", " "))
    columns = {"title": title, "year": year, "genres": genres}
    return Texts(ids, columns).take(first)


def _known(path: Path, table: pa.Table, items: Texts, cleaning: Cleaning) -> pa.Table:
    """Return the rows of films in the catalogue and of times from 1970 on."""
    known = pc.is_in(table.column("movieId"), value_set=items.ids.cast(_INT))
    since = pc.greater_equal(table.column("timestamp"), 0)
    for good, name, fault in (
        (known, "movieId", "is not in the file of movies"),
        (since, "timestamp", "is negative"),
    ):
        lost = ~good.to_numpy()
        if lost.any():
            first = int(np.argmax(lost))
            value, line = (table.column(c)[first].as_py() for c in (name, "line"))
            count = f"{lost.sum()} of {len(lost)} rows"
            cleaning.report(path, line, f"{name} '{value}' {fault}", count, "they are left out")
    return table.filter(pc.and_(known, since))


def _all_events(
    files: Mapping[str, Path], tables: Mapping[str, pa.Table]
) -> tuple[Interactions, NDArray[np.bool_]]:
    """Return all tags, then all ratings; and which are ratings."""

    def both(name: str) -> pa.ChunkedArray:
        return pa.chunked_array([c for t in tables.values() for c in t.column(name).chunks])

    (user, users), (item, items) = coded(both("userId")), coded(both("movieId"))
    tags = tables.get("tags")
    query, queries = np.zeros(0, dtype=np.int32), pa.array([], type=_TEXT)
    if tags is not None:
        query, queries = coded(pc.utf8_trim_whitespace(tags.column("tag")))
    lines = both("line").to_numpy()
    typed = len(query)
    offset = int(lines[:typed].max(initial=0)) + 1
    row = lines + np.where(np.arange(len(lines)) < typed, 0, offset)
    inter = Interactions(
        user=user,
        item=item,
        time=both("timestamp").to_numpy(),
        query=np.concatenate([query, np.full(len(user) - typed, -1, dtype=np.int32)]),
        session=np.full(len(user), -1, dtype=np.int32),
        users=users,
        items=items,
        queries=queries,
        sessions=pa.array([], type=_TEXT),
        row=row,
        origin=lambda r: (
            (files["tags"], r) if typed and r < offset else (files["ratings"], r - offset)
        ),
    )
    return inter, np.arange(len(user)) >= typed


def _among(values: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(values), dtype=np.bool_)
    place = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return ascending[place] == values


def _are_queries(
    inter: Interactions, rules: MovieLensRules, cleaning: Cleaning
) -> NDArray[np.bool_]:
    """Return which events have a tag that is a query: no label, no lone number, not empty."""
    tags = inter.queries
    labels = pa.array(rules.labels, type=_TEXT)
    personal = pc.is_in(_plain_words(tags), value_set=_plain_words(labels))
    if rules.lone_numbers == "drop":
        personal = pc.or_(personal, pc.match_substring_regex(tags, _LONE_NUMBER))
    personal = pc.or_(personal, pc.equal(tags, "")).to_numpy(zero_copy_only=False)
    lost = np.append(personal, False)[inter.query]
    if lost.any():
        example = plain(tags[int(inter.query[np.argmax(lost)])].as_py(), 40)
        cleaning.notes.append(
            f"{personal.sum()} of {len(tags)} tags are personal labels or numbers, as '{example}',"
            f" and no queries ({lost.sum()} of {(inter.query >= 0).sum()} tagged rows are left out)"
        )
    return ~lost & (inter.query >= 0)


def _plain_words(tags: pa.Array) -> pa.Array:
    spaced = pc.replace_substring_regex(tags, r"[-_\s]+", " ")
    return pc.utf8_trim_whitespace(pc.utf8_lower(spaced))


def _in_bursts(inter: Interactions, burst: int) -> Interactions:
    """Return the events with a session for each run of one tag by one user.

    A session is named by user, tag and its first second, so that no order of lines changes it.
    """
    rows = np.flatnonzero(inter.query >= 0)
    if not len(rows):
        return inter
    keys = (inter.time[rows], inter.query[rows], inter.user[rows])
    order = rows[np.lexsort(keys)]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = np.diff(inter.time[order]) > burst
    for column in (inter.query, inter.user):
        new[1:] |= np.diff(column[order]) != 0
    first = order[new]
    sessions = pc.binary_join_element_wise(
        inter.users.take(pa.array(inter.user[first])),
        inter.queries.take(pa.array(inter.query[first])),
        pa.array(inter.time[first]).cast(_TEXT),
        "\x1f",
    )
    session = np.full(len(inter.user), -1, dtype=np.int32)
    session[order] = np.cumsum(new) - 1
    return replace(inter, session=session, sessions=sessions)


READER = Reader(needed=("ratings", "movies"), optional=("tags",), rules=MovieLensRules, read=_read)

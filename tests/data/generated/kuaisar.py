"""KuaiSAR's files in their published layout, of any size, written in parts.

Names and order of the fields, types and pads are those of the published files; what stands in them
is drawn. ``FULL`` and ``SMALL`` have the published counts of rows, users, items and queries, each
of which occurs. Memory does not grow with the number of rows.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["FILES", "FOLDER", "FULL", "SMALL", "Size", "write_folder", "write_zip"]

FOLDER = "KuaiSAR_final"
FILES = {
    "rec": "rec_inter.csv",
    "search": "src_inter.csv",
    "items": "item_features.csv",
    "users": "user_features.csv",
    "social": "social_network.csv",
}
_PART = 500_000
_HOUR = 3_600_000
_BEIJING = 8 * _HOUR
_TYPES = ("VIDEO", "USER", "IMAGE_ATLAS", "LIVE", "COMMODITY", "MUSIC", "ADVERT")
_TYPE_SHARES = (0.8, 0.08, 0.06, 0.03, 0.01, 0.01, 0.01)
_SOURCES = ("USER_INPUT", "RECOMMENDED_QUERY", "RELATED_SEARCH", "HISTORY")
_NAMES = (("空", "empty"), ("搞笑", "Funny"), ("音乐", "music"), ("美食", "Food"), ("游戏", "game"))
_TOKENS = 394_911


@dataclass(frozen=True)
class Size:
    """Counts of a version.

    Attributes:
        rec_rows: rows of ``rec_inter.csv``.
        search_rows: rows of ``src_inter.csv``.
        users: distinct users.
        items: distinct items, all with a row in ``item_features.csv``.
        rec_items: distinct items of ``rec_inter.csv``.
        search_items: distinct items of ``src_inter.csv``.
        queries: distinct lists of tokens.
        begin: the first moment, in milliseconds.
        hours: from there to the last.
    """

    rec_rows: int
    search_rows: int
    users: int
    items: int
    rec_items: int
    search_items: int
    queries: int
    begin: int = 1_684_737_000_000
    hours: float = 451.0

    def scaled(self, share: float) -> Size:
        """Return a version of which all counts are a share of this one's, at least 1."""
        counts = {
            name: max(1, round(getattr(self, name) * share))
            for name in ("rec_rows", "search_rows", "users", "items", "queries")
        }
        counts["rec_items"] = min(max(1, round(self.rec_items * share)), counts["items"])
        counts["search_items"] = counts["items"] - min(
            counts["items"] - 1, max(0, round((self.items - self.search_items) * share))
        )
        return Size(**counts, begin=self.begin, hours=self.hours)


FULL = Size(14_605_716, 5_059_169, 25_877, 6_890_707, 4_046_367, 3_026_189, 453_667)
SMALL = Size(
    7_493_101, 3_171_231, 25_877, 4_195_529, 2_281_034, 2_012_476, 267_608, 1_684_738_200_000, 216.0
)


def write_folder(folder: Path, size: Size, seed: int = 0, shown: float = 6.0) -> Path:
    """Write the five files into a folder.

    Args:
        folder: made if it is not there.
        size: of the version.
        seed: of what is drawn.
        shown: items of a delivery, and of a search session, on average.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[], Iterator[pa.Table]]] = {
        "rec": lambda: _recommended(size, seed, shown),
        "search": lambda: _searched(size, seed, shown),
        "items": lambda: _items(size, seed),
        "users": lambda: _users(size, seed),
        "social": lambda: _social(size, seed),
    }
    for kind, parts in writers.items():
        _write(folder / FILES[kind], parts())
    return folder


def write_zip(path: Path, folder: Path, level: int = 1) -> Path:
    """Pack a written folder as the published archives are packed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        archive.mkdir(f"{FOLDER}/") if hasattr(archive, "mkdir") else None
        for name in FILES.values():
            if (folder / name).exists():
                archive.write(folder / name, f"{FOLDER}/{name}")
    return path


def _write(path: Path, parts: Iterator[pa.Table]) -> None:
    """Write a table as pandas does: cells with a comma stand in quotation marks."""
    with path.open("wb") as file:
        for number, part in enumerate(parts):
            if not number:
                file.write((",".join(part.column_names) + "\n").encode())
            cells = [_cells(column.combine_chunks()) for column in part.columns]
            lines = pc.binary_join_element_wise(*cells[:-1], _joined(cells[-1], "\n"), ",")
            offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)
            file.write(lines.buffers()[2][: int(offsets[len(lines)])])


def _cells(column: pa.Array) -> pa.Array:
    return column.cast(pa.string())


def _joined(*texts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*texts, "")


def _spans(rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, rows, _PART):
        yield start, min(start + _PART, rows)


def _numbers(
    rng: np.random.Generator, start: int, stop: int, rows: int, universe: int
) -> NDArray[np.int64]:
    """Return numbers below ``universe`` for some of ``rows`` rows; over all rows each occurs.

    Where the rows are more than the numbers, the others favour low numbers, as clicks do.
    """
    place = np.arange(start, stop, dtype=np.int64)
    before, behind = place * universe // rows, (place + 1) * universe // rows
    drawn = (universe * rng.random(stop - start) ** 3).astype(np.int64)
    return np.where(behind > before, before, drawn)


def _mixed(numbers: NDArray[np.int64], universe: int) -> NDArray[np.int64]:
    """Return numbers in another order, one to one, so that neighbours lie apart."""
    step = int(universe * 0.618) | 1
    while np.gcd(step, universe) != 1:
        step += 2
    return (numbers * step + universe // 3) % universe


def _runs(rng: np.random.Generator, rows: int, mean: float) -> NDArray[np.int64]:
    """Return for each row which run of rows it belongs to, from 0."""
    return np.cumsum(rng.random(rows) < 1 / mean)


def _text(time: NDArray[np.int64]) -> pa.Array:
    """Return moments in milliseconds as Beijing's time, to the second."""
    return pa.array(((time + _BEIJING) // 1000).astype("datetime64[s]")).cast(pa.string())


def _tokens(
    numbers: NDArray[np.int64], longest: int, universe: int = _TOKENS, empty: bool = False
) -> pa.Array:
    """Return a list of tokens for each number, the same for the same number; distinct ones.

    A list holds the number itself in digits of ``universe``, then further tokens.
    """
    texts: list[pa.Array] = []
    seeds = numbers.astype(np.uint64)
    length = 1 + (seeds * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)) % np.uint64(longest)
    for place in range(longest):
        value = (seeds * np.uint64(2 * place + 1) + np.uint64(place * 977)) % np.uint64(universe)
        if place == 1:
            rest = (seeds * np.uint64(3)) % np.uint64(universe - 100) + np.uint64(100)
            value = np.where(seeds < universe, rest, seeds // np.uint64(universe))
        text = pa.array(value + np.uint64(1)).cast(pa.string())
        if place:
            text = _joined(", ", text)
            there = length > place
            if place == 1:
                there |= seeds >= np.uint64(universe)
            text = pc.if_else(pa.array(there), text, "")
        texts.append(text)
    inner = _joined(*texts)
    if empty:
        inner = pc.if_else(pa.array(length % 16 == 0), "", inner)
    several = pc.match_substring(inner, ",")
    mark = pc.if_else(several, '"', "")
    return _joined(mark, "[", inner, "]", mark)


def _recommended(size: Size, seed: int, shown: float) -> Iterator[pa.Table]:
    """Yield ``rec_inter.csv``: deliveries of several items at one time, about half taken."""
    rng = np.random.default_rng([seed, 1])
    for start, stop in _spans(size.rec_rows):
        rows = stop - start
        run = _runs(rng, rows, shown)
        first = np.flatnonzero(np.diff(run, prepend=-1))
        user = _numbers(rng, start, stop, size.rec_rows, size.users)[first][run - run[0]]
        # Every user occurs: a row that is due for one makes a delivery of its own.
        due = _numbers(rng, start, stop, size.rec_rows, size.users)
        place = np.arange(start, stop, dtype=np.int64)
        own = (place + 1) * size.users // size.rec_rows > place * size.users // size.rec_rows
        user = np.where(own, due, user)
        span = int(size.hours * _HOUR)
        moment = size.begin + (span * rng.random(len(first))).astype(np.int64)
        time = moment[run - run[0]]
        item = _mixed(_numbers(rng, start, stop, size.rec_rows, size.rec_items), size.items)
        duration = np.round(rng.gamma(2.0, 15_000.0, rows))
        playing = np.round(duration * rng.exponential(0.7, rows))
        search = rng.random(rows) < 0.02
        click = rng.random(rows) < 0.5
        yield pa.table(
            {
                "user_id": user + 1,
                "item_id": item + 1,
                "duration_ms": _float_text(duration),
                "playing_time": _float_text(playing),
                "timestamp": _float_text(time),
                "forward": (rng.random(rows) < 0.01).astype(np.int64),
                "like": (rng.random(rows) < 0.04).astype(np.int64),
                "follow": (rng.random(rows) < 0.01).astype(np.int64),
                "search_item_related": (search & (rng.random(rows) < 0.5)).astype(np.int64),
                "search": search.astype(np.int64),
                "click": click.astype(np.int64),
                "time": _text(time),
            }
        )


def _float_text(values: NDArray[np.number]) -> pa.Array:
    """Return whole numbers as Python writes floats, ``1684742000000.0``."""
    return _joined(pa.array(values.astype(np.int64)).cast(pa.string()), ".0")


def _searched(size: Size, seed: int, shown: float) -> Iterator[pa.Table]:
    """Yield ``src_inter.csv``: sessions of one query and time, of which about 60% have a click."""
    rng = np.random.default_rng([seed, 2])
    session = 0
    for start, stop in _spans(size.search_rows):
        rows = stop - start
        place = np.arange(start, stop, dtype=np.int64)
        new = rng.random(rows) < 1 / shown
        # Every query and user occurs: a row that is due for one begins a session.
        for universe in (size.queries, size.users):
            new |= (place + 1) * universe // size.search_rows > place * universe // size.search_rows
        new[0] = True
        run = np.cumsum(new) - 1
        first = np.flatnonzero(new)
        user = _numbers(rng, start, stop, size.search_rows, size.users)[first][run]
        query = _numbers(rng, start, stop, size.search_rows, size.queries)[first][run]
        span = int(size.hours * _HOUR)
        time = (size.begin + (span * rng.random(len(first))).astype(np.int64))[run]
        clicked = (rng.random(len(first)) < 0.6)[run]
        # The session's first row or a later one: at least one click where there is any.
        click = clicked & ((rng.random(rows) < 0.2) | new)
        numbers = _numbers(rng, start, stop, size.search_rows, size.search_items)
        item = _mixed(size.items - 1 - numbers, size.items)
        source = rng.choice(len(_SOURCES), len(first), p=(0.6, 0.2, 0.1, 0.1))[run]
        yield pa.table(
            {
                "keyword": _tokens(query, 4),
                "item_id": item + 1,
                "click_cnt": np.where(click, 1 + (rng.random(rows) < 0.1), 0),
                "search_session_id": session + run + 1,
                "item_type": _chosen(rng, rows, _TYPES, _TYPE_SHARES),
                "user_id": user + 1,
                "search_session_timestamp": time,
                "search_source": pa.array(_SOURCES).take(pa.array(source)),
                "search_session_time": _text(time),
            }
        )
        session += len(first)


def _chosen(
    rng: np.random.Generator, rows: int, names: tuple[str, ...], shares: tuple[float, ...]
) -> pa.Array:
    return pa.array(names).take(pa.array(rng.choice(len(names), rows, p=shares)))


def _items(size: Size, seed: int) -> Iterator[pa.Table]:
    """Yield ``item_features.csv``, with the pads that stand for what is missing."""
    rng = np.random.default_rng([seed, 3])
    chinese, english = (pa.array(each) for each in zip(*_NAMES, strict=True))
    for start, stop in _spans(size.items):
        rows = stop - start
        number = _mixed(np.arange(start, stop, dtype=np.int64), size.items)
        days = rng.integers(18_000, 19_500, rows)
        days[rng.random(rows) < 0.05] = 0
        columns: dict[str, object] = {
            "item_id": number + 1,
            "caption": _tokens(number, 8, empty=True),
            "author_id": np.where(rng.random(rows) < 0.02, 0, rng.integers(1, 2_000_000, rows)),
            "item_type": _chosen(rng, rows, ("NORMAL", "UNKNOW", "AD"), (0.9, 0.08, 0.02)),
            "upload_time": pa.array(days.astype("datetime64[D]")).cast(pa.string()),
            "upload_type": _chosen(rng, rows, ("LongImport", "ShortImport"), (0.5, 0.5)),
            "music_id": rng.integers(0, 1_000_000, rows),
        }
        levels = [
            np.where(number % (level + 1) == 0, number // (level + 2) % len(_NAMES), 0)
            for level in range(4)
        ]
        ordinals = ("first", "second", "third", "fourth")
        for ordinal, level in zip(ordinals, levels, strict=True):
            columns[f"{ordinal}_level_category_id"] = level
            columns[f"{ordinal}_level_category_name"] = chinese.take(pa.array(level))
        for ordinal, level in zip(ordinals, levels, strict=True):
            columns[f"{ordinal}_level_category_name_en"] = english.take(pa.array(level))
        yield pa.table(columns)


def _users(size: Size, seed: int) -> Iterator[pa.Table]:
    rng = np.random.default_rng([seed, 4])
    yield pa.table(
        {
            "user_id": np.arange(1, size.users + 1),
            "onehot_feat1": rng.integers(0, 8, size.users),
            "onehot_feat2": rng.integers(0, 3, size.users),
            "search_active_level": rng.integers(0, 7, size.users),
            "reco_active_level": rng.integers(0, 4, size.users),
        }
    )


def _social(size: Size, seed: int) -> Iterator[pa.Table]:
    rng = np.random.default_rng([seed, 5])
    rows = min(576, size.users)
    yield pa.table(
        {
            "user_id": rng.integers(1, size.users + 1, rows),
            "user_follow_id": rng.integers(1, size.users + 1, rows),
        }
    )

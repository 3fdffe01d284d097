"""Which column is what, guessed by names and by cells; every guess has its reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from benchmark.data.sources.tables.coded import Coded
from benchmark.data.sources.tables.sample import Column, Sample
from benchmark.data.sources.unused_queries import QUERY_NAMES, name_of_queries, words_of_name
from benchmark.plain_text import plain

__all__ = ["Guess", "GuessedType", "guess"]

NAMES = {
    "user": "user customer visitor client member account buyer shopper person uid cid reviewer"
    " kunde kundin nutzer benutzer 用户",
    "item": "item product article sku asin movie film video song track artist book content document"
    " doc note iid pid artikel produkt 商品 物品",
    "time": "timestamp time datetime date at when ts created zeit zeitpunkt datum 时间",
    "query": QUERY_NAMES,
    "session": "session visit sid sessionid besuch sitzung 会话",
    "type": "type event action behavior behaviour eventtype kind aktion ereignis 行为",
    "rating": "rating stars score overall bewertung sterne 评分",
    "title": "title name titel bezeichnung label headline caption 标题 名称",
    "text": "description category categories brand genre genres tags text content abstract summary"
    " subtitle keywords color material beschreibung kategorie marke farbe 描述 类目 品牌",
}
"""What columns of each role are often called; the first names are the best."""
GRADES = {
    0: "impression impressions impress imp show shown exposure expose exposed display displayed",
    1: "view views click clicks clicked play open read visit watch detail pageview viewed browse"
    " select search listen transition",
    2: "cart add addtocart addcart basket wishlist favorite favourite fav like bookmark save"
    " collect follow share download",
    3: "purchase purchased buy bought order ordered transaction checkout sale paid ord booking",
}
AGAINST = "remove removed delete dislike skip return returned refund unlike cancel hide block"
_NUMBERED = re.compile(r"[ns]?(id|nr|nummer|number|num|no|code|key|kennung)$")
"""What follows what a column is about, in names of one word: Kundennummer, productcode."""
_LEFT_OUT = re.compile(r"url|uri|image|img|picture|photo|link|href|http|bild", re.IGNORECASE)
_GAP = 1800


@dataclass(frozen=True)
class GuessedType:
    """A type of event: how many there are, what it counts (``None``: nothing), and why."""

    count: int
    grade: int | None
    search: bool
    why: str


@dataclass
class Guess:
    """What tables were taken for.

    Attributes:
        columns: of the events by role, with why.
        item_key: the items' column of ids, and why; ``None`` without a table of items.
        title: the items' column of titles, and why.
        text: further columns of text.
        types: what each type of event counts.
        time_said: how the times are written.
        positions: whether the times are numbers that no clock shows.
        gap: seconds that part sessions, where nothing else does.
        unused: columns that were taken for nothing.
        check: what a person should look at.
    """

    columns: dict[str, tuple[str, str]] = field(default_factory=dict)
    item_key: tuple[str, str] | None = None
    title: tuple[str, str] | None = None
    text: list[str] = field(default_factory=list)
    types: dict[str, GuessedType] = field(default_factory=dict)
    time_said: str = ""
    positions: bool = False
    gap: int | None = None
    unused: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)


def guess(events: Sample, items: Sample | None) -> Guess:
    """Return what the columns of events and items are likely to be.

    A role that nothing fits is missing; only user and item may not be.
    """
    found = Guess()
    if items is not None:
        _guess_items(items, found)
    _guess_item(events, items, found)
    _take(events, found, "user", lambda column: column.distinct > 1)
    _guess_time(events, found)
    _take(events, found, "query", _may_be_query)
    _take(events, found, "session", lambda column: column.distinct > 1)
    _guess_types(events, found)
    if "query" in found.columns and "session" not in found.columns and found.time_said:
        found.gap = _GAP
    _remark(events, found)
    return found


def _may_be_query(column: Column) -> bool:
    return name_of_queries(column.name) and (column.letters > 0 or not column.is_number)


def _likeness(name: str, role: str) -> float:
    """Return how much a name speaks for a role: 0 for not at all, 3 for nothing else."""
    known = NAMES[role].split()
    words = words_of_name(name)
    whole, core = "".join(words), [w for w in words if w not in ("id", "key", "code", "the", "no")]
    # A title in another script is one word with whatever stands beside it.
    for rank, each in enumerate(known):
        better = 0.5 * (1 - rank / len(known))
        if whole == each or _NUMBERED.fullmatch(whole.removeprefix(each)) or core == [each]:
            return 2.5 + better
        if each in words:
            return (1.5 if words[0] == each else 1.0) + better
        if not each.isascii() and each in name:
            return 1.0 + better
    return 0.0


def _take(events: Sample, found: Guess, role: str, fits: Callable[[Column], bool]) -> Column | None:
    """Take the column whose name speaks most for a role, of those that are free and fit."""
    used = {name for name, _ in found.columns.values()}
    free = [c for c in events.columns.values() if c.name not in used]
    named = sorted((-_likeness(c.name, role), place, c) for place, c in enumerate(free))
    for likeness, _, column in named:
        if likeness < 0 and fits(column):
            found.columns[role] = (column.name, "by its name")
            return column
    return None


def _guess_items(items: Sample, found: Guess) -> None:
    columns = list(items.columns.values())
    unique = [c for c in columns if c.filled > 0.99 and c.distinct >= 0.99 * len(c.text)]
    by_name = sorted(unique, key=lambda c: -_likeness(c.name, "item"))
    ids = [c for c in by_name if "id" in words_of_name(c.name)] or by_name or columns
    best = by_name[0] if by_name and _likeness(by_name[0].name, "item") > 2 else ids[0]
    twice = len(best.text) - best.distinct
    why = "no value stands there twice" if not twice else f"{twice} of its values stand there twice"
    found.item_key = (best.name, why)
    rest = [c for c in columns if c is not best and not _LEFT_OUT.search(c.name)]
    texts = [c for c in rest if c.letters >= 2 and not c.is_number and c.times is None]
    named = sorted(texts, key=lambda c: -_likeness(c.name, "title"))
    if named and _likeness(named[0].name, "title") > 0:
        found.title = (named[0].name, "by its name")
    elif texts:
        longest = max(texts, key=lambda c: min(c.letters, 80) * (c.distinct > len(c.text) / 2))
        found.title = (longest.name, "as its texts differ most")
    found.text = [
        c.name
        for c in texts
        if (found.title is None or c.name != found.title[0])
        and (max(_likeness(c.name, "text"), _likeness(c.name, "title")) > 0 or c.letters >= 15)
    ]


def _guess_item(events: Sample, items: Sample | None, found: Guess) -> None:
    if items is None or found.item_key is None:
        _take(events, found, "item", lambda column: column.distinct > 1)
        return
    ids = _ids(items, found.item_key[0])
    shares = {
        c.name: float(pc.mean(pc.is_in(c.text, value_set=ids).cast(pa.float64())).as_py() or 0.0)
        for c in events.columns.values()
    }
    best = max(
        shares, key=lambda name: (shares[name] > 0.01, shares[name] + _likeness(name, "item"))
    )
    if shares[best] > 0.01:
        why = f"{shares[best]:.1%} of its values are ids of {items.table.path.name}"
        found.columns["item"] = (best, why)
        if shares[best] < 0.95:
            found.check.append(
                f"{1 - shares[best]:.1%} of the values of '{best}' are no id of the items; events"
                " of such items will be left out"
            )
    else:
        _take(events, found, "item", lambda column: column.distinct > 1)
        found.check.append(
            f"no column of the events holds ids of the items' column '{found.item_key[0]}'; name"
            " the right ones under columns.item and item_columns.id"
        )


def _ids(items: Sample, key: str) -> pa.Array:
    coded = Coded()
    for batch in items.table.read([key]):
        coded.add(batch[key])
    return coded.finish()[1]


def _guess_time(events: Sample, found: Guess) -> None:
    column = _take(events, found, "time", lambda column: column.times is not None)
    if column is None:
        used = {name for name, _ in found.columns.values()}
        free = [c for c in events.columns.values() if c.name not in used]
        if clocks := [c for c in free if c.times is not None]:
            column = clocks[0]
            found.columns["time"] = (column.name, "as its values are times")
        elif _called_time(free, found):
            return
    if column is None:
        column = _take(events, found, "time", lambda column: column.is_number)
        found.positions = column is not None
        found.check.append(
            "the times are numbers that no clock shows: they are taken for positions"
            if column
            else "no column holds times: the order of the rows stands for them"
        )
        return
    assert column.times is not None
    found.time_said = column.times.notes[0].removeprefix("times are ")
    if len(column.times.notes) > 1:
        found.check.append("some times lie in 1970; are they missing?")


def _called_time(columns: list[Column], found: Guess) -> bool:
    """Take a column that is called a time and holds none: what reads it says so, and the order of
    the rows does not stand for it unasked.
    """
    named = [c for c in columns if _is_called_time(c.name) and not c.is_number and c.filled]
    for column in named[:1]:
        found.columns["time"] = (column.name, "by its name, but it cannot be read")
        found.check.append(
            f"the time '{plain(column.name, 40)}' {column.no_time}; until then nothing runs, unless"
            " the card says time: null, by which the order of the rows stands for it"
        )
    return bool(named)


def _is_called_time(name: str) -> bool:
    """Return whether a name is that of a time, or ends in a word for one, as ``event_time``."""
    last = words_of_name(name)[-1:]
    return _likeness(name, "time") > 2 or (bool(last) and last[0] in NAMES["time"].split())


def _guess_types(events: Sample, found: Guess) -> None:
    column = _take(
        events,
        found,
        "type",
        lambda c: c.types is not None and 1 < len(c.types) <= 40 and c.filled > 0.5,
    )
    if column is None or column.types is None:
        return
    for name, count in column.types.most_common():
        found.types[name] = _type(name, count, "query" in found.columns)
    strange = [name for name, each in found.types.items() if each.why == _UNKNOWN]
    if strange:
        shown = ", ".join(f"'{name}'" for name in strange[:5])
        found.check.append(f"what the event types {shown} count was not known: they count 1")
    if not any(each.grade for each in found.types.values()):
        del found.columns["type"]
        found.types.clear()


_UNKNOWN = "not known; check"


def _type(name: str, count: int, queries: bool) -> GuessedType:
    words = [*words_of_name(name), "".join(words_of_name(name))]
    if any(word in AGAINST.split() for word in words):
        return GuessedType(count, None, False, "speaks against the item, so it counts nothing")
    for grade in (3, 2, 0, 1):
        if any(word in GRADES[grade].split() for word in words):
            why = {0: "shown and not taken", 1: "looked at", 2: "wanted", 3: "bought"}[grade]
            return GuessedType(count, grade, False, why)
    return GuessedType(count, 1, False, _UNKNOWN)


def _remark(events: Sample, found: Guess) -> None:
    used = {name for name, _ in found.columns.values()}
    found.unused = [name for name in events.columns if name not in used]
    for name, why in events.left_out.items():
        if name:
            found.check.append(f"'{plain(name, 40)}' was not looked at, as it {why}")
    if "user" not in found.columns:
        found.check.append("no column was taken for the user")
    if "item" in found.columns and "user" in found.columns:
        filled = events.columns[found.columns["item"][0]].filled
        if filled < 0.999:
            found.check.append(
                f"{1 - filled:.1%} of the events have no item and will be left out (a search as a"
                " row of its own is no event: the query has to stand on the rows of its clicks)"
            )
    found.check += _like_queries(events, found)
    for name in found.unused:
        column = events.columns[name]
        if _likeness(name, "rating") > 0 and column.is_number:
            numbers = pc.min_max(column.text.cast(pa.float64())).as_py()
            found.check.append(
                f"'{name}' looks like a rating from {numbers['min']:g} to {numbers['max']:g}: to"
                f" let good ones only count, add rating: {name} under columns, and at_least:"
                f" {{rating: …}} beside it"
            )


def _like_queries(events: Sample, found: Guess) -> Iterator[str]:
    if "query" in found.columns:
        return
    for name in found.unused:
        column = events.columns[name]
        if column.letters >= 3 and column.distinct > 40 and not column.is_number:
            yield f"'{name}' holds texts and is not used: are those queries? (columns.query)"

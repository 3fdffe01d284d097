"""What a card makes of a log, by dictionaries and loops: requests, splits, histories, lists.

Written from what the fields of a card say, and shares no code with the package. Readers have a slow
twin each that returns ``Shown``; what follows from these and from the card is here. Only what is
drawn by lot is taken from the data set: the order of one user's events at one time, and which of
several copies of one moment stays.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

__all__ = [
    "Asked",
    "Expected",
    "RefusedError",
    "Seen",
    "Shown",
    "expected_of",
    "settings_of",
    "without_clock",
    "without_copies",
]

Seen = tuple[str, str, int, str | None, str | None]
"""User, item, time, words (``None`` where it is no search) and session of an event."""
Asked = tuple[str, int, str | None, tuple, tuple, tuple]
"""User, time, words, relevant items with grades, given candidates, history of a request."""


class RefusedError(Exception):
    """The card asks for what these data do not have."""


@dataclass(frozen=True)
class Shown:
    """An item that was shown to a user: an event where its grade is above 0.

    ``part`` is ``train``, ``validation`` or ``test``, or of an event whose request is not known
    ``background`` (it trains) or ``history`` (it does not).
    """

    user: str
    item: str
    time: int
    words: str | None = None
    session: str | None = None
    grade: float = 1.0
    part: str = "train"

    @property
    def seen(self) -> Seen:
        return self.user, self.item, self.time, self.words, self.session

    @property
    def task(self) -> str:
        return "rec" if self.words is None else "search"


@dataclass
class Expected:
    """What trains, what is asked by part and task, and which parts and tasks have lists."""

    train: Counter[Seen]
    asked: dict[tuple[str, str], list[Asked]]
    lists: dict[tuple[str, str], set[str]]
    copies: int = 0


@dataclass
class _Group:
    """Events of one request, by their places in the log, and the items of its page."""

    task: str
    rows: list[int] = field(default_factory=list)
    page: set[str] = field(default_factory=set)


def settings_of(splits: Sequence[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw fields of a card beside its rules, with one of some splits, and ``seen`` of a run."""
    protocols = [["full"], ["given"], ["sampled", "given"], ["full", "given"]]
    return st.fixed_dictionaries(
        {
            "split": st.sampled_from(list(splits)),
            "seen": st.sampled_from(["keep", "exclude"]),
            "copies": st.sampled_from([{}, {"within": 2}, {"keep": True}]),
            "candidates": st.fixed_dictionaries(
                {"negatives": st.just(2)}, optional={"protocols": st.sampled_from(protocols)}
            ),
        },
        optional={"exclude_seen": st.sampled_from([[], ["search"], ["rec", "search"]])},
    )


def without_clock(card: dict[str, Any]) -> dict[str, Any]:
    """Return what a card comes to where times are no more than an order: no copy is near."""
    copies = {what: value for what, value in card["copies"].items() if what != "within"}
    return {**card, "copies": copies}


def expected_of(
    shown: Sequence[Shown], items: int, card: dict[str, Any], log: Sequence[Seen]
) -> Expected:
    """Return what a card comes to.

    Args:
        shown: of all requests.
        items: size of the catalogue.
        card: fields of the card, and ``seen`` of the run.
        log: the events of a data set in their order, or an order that it may have.

    Raises:
        RefusedError: nothing to train on, or a split or protocol that these data do not have.
    """
    all_events = [each for each in shown if each.grade > 0]
    copies = card.get("copies", {})
    events = (
        all_events
        if copies.get("keep")
        else without_copies(all_events, copies.get("within", 0), log)
    )
    dropped = len(all_events) - len(events)
    if dropped and card.get("strict"):
        raise RefusedError("'strict' out of the card")
    events = _ordered(events, log)
    pages = [each for each in shown if not each.grade]
    how = {"name": "leave-one-out", "leakage": "safe", **card.get("split", {})}
    groups = _groups(events, pages)
    asked, end = _asked(events, groups, how)
    taken = {row for _, group in asked for row in group.rows}
    trained = [
        row
        for row, event in enumerate(events)
        if row not in taken and event.time < end and event.part != "history"
    ]
    relevant = {id(group): _best(events, group.rows) for _, group in asked}
    if how["leakage"] == "safe":
        pairs = {(events[row].user, events[row].item) for row in taken}
        trained = [row for row in trained if (events[row].user, events[row].item) not in pairs]
        _apart(events, asked, relevant)
    if not trained:
        raise RefusedError("to train on")
    found = Expected(Counter(events[row].seen for row in trained), {}, {}, dropped)
    _ask(found, events, groups, asked, relevant, items, card, how)
    return found


def without_copies(events: list[Shown], within: float, log: Sequence[Seen]) -> list[Shown]:
    """Return the events without copies: of a run the first stays, with the best grade."""
    there, kept = set(log), []
    alike: dict[tuple, list[Shown]] = defaultdict(list)
    for event in sorted(events, key=lambda e: e.time):
        alike[event.user, event.item, event.words].append(event)
    for mine in alike.values():
        runs = [[mine[0]]]
        for event in mine[1:]:
            if event.time - runs[-1][-1].time <= within:
                runs[-1].append(event)
            else:
                runs.append([event])
        for run in runs:
            first = [event for event in run if event.time == run[0].time]
            one = next((event for event in first if event.seen in there), first[0])
            kept.append(replace(one, grade=max(event.grade for event in run)))
    return kept


def _ordered(events: list[Shown], log: Sequence[Seen]) -> list[Shown]:
    """Return the events in the order of a log, which holds these and no others."""
    waiting: dict[Seen, list[Shown]] = defaultdict(list)
    for event in sorted(events, key=lambda e: -e.grade):
        waiting[event.seen].append(event)
    own, mine = Counter(log), Counter(event.seen for event in events)
    assert own == mine, (own - mine, mine - own)
    ordered = [waiting[seen].pop(0) for seen in log]
    for one, other in pairwise(ordered):
        assert one.user != other.user or one.time <= other.time
    return ordered


def _groups(events: list[Shown], pages: list[Shown]) -> list[_Group]:
    """Return the requests: a search with all its clicks, a page with all that was taken."""
    paged = any(each.words is None for each in pages)
    groups: dict[tuple, _Group] = {}

    def key(each: Shown, number: int) -> tuple:
        if each.words is not None:
            moment = each.time if each.session is None else None
            return "search", each.user, each.words, each.session, moment
        alone = number if each.session is None and not paged else -1
        return "rec", each.user, each.time, each.session, alone

    for row, event in enumerate(events):
        groups.setdefault(key(event, row), _Group(event.task)).rows.append(row)
    for each in pages:
        if (group := groups.get(key(each, -1))) is not None:
            group.page.add(each.item)
    return list(groups.values())


def _asked(
    events: list[Shown], groups: list[_Group], how: dict[str, Any]
) -> tuple[list[tuple[str, _Group]], float]:
    """Return what is asked with its part, and the moment from which on nothing trains."""
    known = ("train", "validation", "test")
    fit = [g for g in groups if all(events[row].part in known for row in g.rows)]
    name = how["name"]
    if name == "official":
        return _official(events, fit)
    times = sorted(e.time for e in events if e.part in known)
    if how.get("both_before"):
        fit = [g for g in fit if {"rec", "search"} == {e.task for e in _before(events, g, how)}]
    if name == "leave-one-out":
        asked = []
        for task in ("rec", "search"):
            for user in {event.user for event in events}:
                mine = [g for g in fit if g.task == task and events[g.rows[0]].user == user]
                mine.sort(key=lambda g: g.rows[0])
                if len(mine) >= 3:
                    asked += [("validation", mine[-2]), ("test", mine[-1])]
        return asked, float("inf")
    if name == "temporal":
        begin, end = (times[len(times) * tenths // 10] if times else 0 for tenths in (8, 9))
    else:
        begin, end = _days(times, how.get("zone", "UTC"))
    asked = []
    for group in fit:
        time = events[group.rows[0]].time
        if time >= begin:
            asked.append(("test" if time >= end else "validation", group))
    return asked, begin


def _official(events: list[Shown], fit: list[_Group]) -> tuple[list[tuple[str, _Group]], float]:
    use = {}
    for group in fit:
        told = {events[row].part for row in group.rows}
        use[id(group)] = next(p for p in ("test", "validation", "train") if p in told)
    late = float("inf")
    if "validation" not in use.values():
        times = sorted(events[g.rows[0]].time for g in fit if use[id(g)] == "train")
        # As many as there can be without parting a moment, a tenth at most.
        for time in reversed(times):
            if 10 * sum(each >= time for each in times) <= len(times):
                late = time
    asked = []
    for group in fit:
        part = use[id(group)]
        if part == "train" and events[group.rows[0]].time >= late:
            part = "validation"
        if part != "train":
            asked.append((part, group))
    return asked, late


def _days(times: list[int], zone: str) -> tuple[float, float]:
    """Return the midnights that begin the last day with an event and the day before it."""
    unit = 1000 if times[-1] > 10**11 else 1
    if times[0] < 365 * 86400 * unit:
        raise RefusedError("days split needs times")
    moment = datetime.fromtimestamp(times[-1] // unit, ZoneInfo(zone))
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    end = midnight.timestamp() * unit
    if times[0] >= end:
        return end, end
    before = (midnight - timedelta(days=1)).timestamp() * unit
    return before, end


def _best(events: list[Shown], rows: list[int]) -> dict[str, float]:
    best: dict[str, float] = {}
    for row in rows:
        best[events[row].item] = max(events[row].grade, best.get(events[row].item, 0))
    return best


def _apart(
    events: list[Shown], asked: list[tuple[str, _Group]], relevant: dict[int, dict[str, float]]
) -> None:
    """Take out of validation what a test request asks for, for the same user."""
    tested = {
        (events[r].user, events[r].item) for part, g in asked if part == "test" for r in g.rows
    }
    for part, group in asked:
        if part == "validation":
            user = events[group.rows[0]].user
            for item in [i for i in relevant[id(group)] if (user, i) in tested]:
                del relevant[id(group)][item]


def _before(events: list[Shown], group: _Group, how: dict[str, Any]) -> list[Shown]:
    """Return what its user did before a request, its own session too."""
    first = group.rows[0]
    mine = events[first]
    return [
        event
        for row, event in enumerate(events)
        if event.user == mine.user
        and (event.time < mine.time if how["leakage"] == "safe" else row < first)
    ]


def _history(events: list[Shown], group: _Group, how: dict[str, Any]) -> list[Shown]:
    mine, before = events[group.rows[0]], _before(events, group, how)
    if how["leakage"] == "safe":
        return [e for e in before if mine.session is None or e.session != mine.session]
    others = [place for place, e in enumerate(before) if e.task != mine.task]
    if others and before[others[-1]].item == mine.item:
        del before[others[-1]]
    return before


def _ask(
    found: Expected,
    events: list[Shown],
    groups: list[_Group],
    asked: list[tuple[str, _Group]],
    relevant: dict[int, dict[str, float]],
    items: int,
    card: dict[str, Any],
    how: dict[str, Any],
) -> None:
    """Fill in the requests that leave a choice."""
    protocols = card.get("candidates", {}).get("protocols", ["full", "sampled", "given"])
    paged = {task for task in ("rec", "search") if any(g.page for g in groups if g.task == task)}
    hidden = card.get("exclude_seen", ["rec"]) if card.get("seen") == "exclude" else []
    whole = [(part, group) for part, group in asked if relevant[id(group)]]
    for part, group in whole:
        lists = {"sampled"} & {*protocols} | (
            {"given"} & {*protocols} if group.task in paged else set()
        )
        if not lists and "full" not in protocols:
            continue
        best, page = relevant[id(group)], group.page | {*relevant[id(group)]}
        page = page if "given" in lists and len(page) > len(best) else set()
        history = _history(events, group, how)
        wrong = items - len(best)
        if group.task in hidden:
            known = {event.item for event in history}
            best = {item: grade for item, grade in best.items() if item not in known}
            page -= {*relevant[id(group)]} - {*best}
            wrong = items - len(best) - len(known)
        found.lists.setdefault((part, group.task), lists)
        if best and wrong > 0:
            first = events[group.rows[0]]
            line = (
                first.user,
                first.time,
                first.words,
                tuple(sorted(best.items())),
                tuple(sorted(page)),
                tuple(sorted((e.time, e.item, e.words or "") for e in history)),
            )
            found.asked.setdefault((part, group.task), []).append(line)
    if whole and not found.lists:
        raise RefusedError("bring no lists")
    for lines in found.asked.values():
        lines.sort(key=repr)

"""What a table asks, against a slow split: histories, relevant items, grades and candidates."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from benchmark.data.load import load_dataset
from benchmark.errors import InputError

from .plain_split import Event, asked_by, leave_one_out, log_of_dataset, ordered
from .table_reference import expected, write_table
from .test_tables import cases


def once(rows: list[tuple]) -> list[Event]:
    """Return the events without copies, each with the best grade; a copy has no session of its own.

    Of copies in two sessions the lot decides which stays, so these are none of a test's business.
    """
    best: dict[tuple, Event] = {}
    for user, item, time, query, session, grade, line in sorted(rows, key=lambda r: r[-1]):
        event = Event(user, item, time, query, session, grade, line)
        if event.seen in best and best[event.seen].grade >= grade:
            continue
        best[event.seen] = event
    return list(best.values())


def alone(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows without those of a user, item and time that stand above."""
    found = {(r["user"].strip(), r["item"].strip(), r["time"]): r for r in reversed(rows)}
    return [row for row in rows if any(row is each for each in found.values())]


@given(cases())
@settings(max_examples=40, deadline=None)
def test_requests_are_those_of_a_slow_split(
    case: tuple[list[dict[str, str]], dict[str, Any], str, str],
) -> None:
    rows, rules, unit, kind = case
    rows = alone(rows)
    wanted = list(expected(rows, rules, unit))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "events", rows, kind)
        card = {
            **dict.fromkeys(("description", "source", "licence", "citation"), "x"),
            **{"name": "log", "format": "table", "files": {"events": {"name": "events"}}},
            **{"rules": rules, "candidates": {"negatives": 1}},
        }
        (folder / "card.yaml").write_text(json.dumps(card), encoding="utf-8")
        try:
            dataset = load_dataset(folder, cache=folder / "cache", seen="keep")
        except InputError as error:
            said = ("no line has a field", "leaves none of", "no event", "no rating is", "(no")
            assert any(each in str(error) for each in said), error
            return
    taken = [row for row in wanted if row[5] > 0]
    shown = [Event(u, i, t, q, s, g, n) for u, i, t, q, s, g, n in wanted if g == 0]
    events = ordered(once(taken), log_of_dataset(dataset))
    train, asked = leave_one_out(events, len(dataset.items), shown=shown)
    assert len(dataset.train.log) == len(train)
    assert asked_by(dataset) == asked

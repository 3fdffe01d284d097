"""What a table asks, against a slow split: histories, relevant items, grades and candidates."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from benchmark.data.load import load_dataset
from benchmark.errors import InputError

from .plain_split import Event, asked_by, leave_one_out, log_of_dataset, ordered
from .table_reference import expected, write_table
from .test_tables import HEAD, START, cases, events_of, read


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
            said = (
                "no line has a field",
                "leaves none of",
                "no event",
                "no rating is",
                "(no",
                "grade is 0",
            )
            assert any(each in str(error) for each in said), error
            return
    taken = [row for row in wanted if row[5] > 0]
    shown = [Event(u, i, t, q, s, g, n) for u, i, t, q, s, g, n in wanted if g == 0]
    events = ordered(once(taken), log_of_dataset(dataset))
    train, asked = leave_one_out(events, len(dataset.items), shown=shown)
    assert len(dataset.train.log) == len(train)
    assert asked_by(dataset) == asked


@pytest.mark.parametrize(("gap", "visits"), [(59, 3), (60, 2), (99, 2), (100, 1)])
def test_a_visit_goes_on_as_long_as_the_gap_is_not_longer(
    gap: float, visits: int, tmp_path: Path
) -> None:
    text = HEAD + "".join(f"u,i{n},{START + t}\n" for n, t in enumerate((160, 0, 60)))
    (tmp_path / "e").write_text(text, encoding="utf-8")
    found = read({"events": tmp_path / "e"}, {"session_gap": gap}).inter
    assert len(found.sessions) == visits
    assert found.sessions.to_pylist() == [f"u:{n + 1}" for n in range(visits)]


def test_a_rating_that_is_just_enough_counts_and_a_type_decides_what_is_a_search(
    tmp_path: Path,
) -> None:
    head = "user_id,item_id,timestamp,stars,kind,words\n"
    rows = ("u,a,1,3.5,view,red", "u,b,2,3.4,view,red", "u,c,3,4,find,red", "u,d,4,5,find,")
    (tmp_path / "e").write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    columns = {"rating": "stars", "type": "kind", "query": "words"}
    for search, words in ((None, "red"), (False, None), (True, "red")):
        events = {"view": {"search": search}, "find": {"search": True}}
        rules = {"columns": columns, "events": events, "at_least": {"rating": 3.5}}
        found = events_of(read({"events": tmp_path / "e"}, rules))
        assert {(item, query) for _, item, _, query, *_ in found} == {("a", words), ("c", "red")}


@pytest.mark.parametrize(("least", "stay"), [((1, 1), 4), ((2, 1), 3), ((1, 2), 2), ((3, 1), 0)])
def test_what_was_only_shown_stays_unless_an_item_needs_more_than_one_event(
    least: tuple[int, int], stay: int, tmp_path: Path
) -> None:
    rows = "u,a,1,1\nu,a,2,1\nu,shown,3,0\nonlooker,shown,4,0\n"
    (tmp_path / "e").write_text("user_id,item_id,timestamp,grade\n" + rows, encoding="utf-8")
    rules = {
        "columns": {"grade": "grade"},
        "at_least": {"user": least[0], "item": least[1]},
    }
    if not stay:
        with pytest.raises(InputError, match="no event is left where 3 events"):
            read({"events": tmp_path / "e"}, rules)
        return
    assert len(read({"events": tmp_path / "e"}, rules).inter.user) == stay

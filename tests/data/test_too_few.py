"""A task without requests says which rule left none, with counts, and what to do."""

from __future__ import annotations

import pytest

from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.too_few import why_none
from benchmark.errors import InputError
from tests.data.conftest import MakeFolder

from .test_card import card_in

FILES = {kind: {"name": f"ml.{kind}"} for kind in ("inter", "query")}
TABLE = [("q", "words")]
COLUMNS = ("query_id:token", "session_id:token")


def test_users_with_too_few_requests_are_counted(make_folder: MakeFolder) -> None:
    rows = [(f"u{u}", f"i{t}", t, "q" if t else "") for u in range(4) for t in range(3)]
    dataset = load_dataset(make_folder(rows, None, TABLE))
    assert why_none(dataset, list(Task)) == (
        "rec: 4 events of 4 users make 4 requests, at most 1 a user, where leave-one-out needs 3,"
        " so 0 of 4 users are left; give more events, or name the split temporal in a card; search:"
        " 8 events of 4 users make 8 requests, at most 2 a user, where leave-one-out needs 3, so 0"
        " of 4 users are left; give more events, or name the split temporal in a card"
    )


def test_a_kind_of_event_that_is_not_there_is_named(make_folder: MakeFolder) -> None:
    dataset = load_dataset(make_folder([("u", f"i{t}", t) for t in range(5)]))
    assert "no event has a query" in why_none(dataset, [Task.SEARCH])


def test_users_who_repeat_themselves_are_told_apart(make_folder: MakeFolder) -> None:
    rows = [("u", i, t) for t, i in enumerate("abcdea")] + [("v", "z", 0)]
    dataset = load_dataset(make_folder(rows))
    assert ("test", Task.REC) not in dataset.evaluation
    assert "repeats their own history" in why_none(dataset, [Task.REC])
    assert "--seen keep" in why_none(dataset, [Task.REC])


def test_a_search_that_every_item_answers_asks_for_more_items(make_folder: MakeFolder) -> None:
    rows = [("u", "i", t, "q", f"s{t}") for t in range(3)] + [("v", "i", 0, "", "")]
    dataset = load_dataset(make_folder(rows, None, TABLE, columns=COLUMNS))
    assert ("test", Task.SEARCH) not in dataset.evaluation
    why = why_none(dataset, [Task.SEARCH])
    assert "every item answers" in why
    assert "--seen" not in why


def test_a_temporal_split_without_late_events_says_so(make_folder: MakeFolder) -> None:
    rows = [("u", f"i{t}", t, "q" if t < 3 else "") for t in range(20)]
    folder = card_in(make_folder(rows, None, TABLE), files=FILES, split={"name": "temporal"})
    assert "late enough to test" in why_none(load_dataset(folder), [Task.SEARCH])


def test_a_split_that_leaves_nothing_to_train_on_counts(make_folder: MakeFolder) -> None:
    rows = [("u", item, t, "q") for t, item in enumerate("iij")]
    with pytest.raises(
        InputError, match=r"leaves none of 3 events .* search 3 requests of which 2"
    ):
        load_dataset(make_folder(rows, None, TABLE))

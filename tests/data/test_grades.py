"""Data that tell what was shown: grades of events, and the lists that they were taken from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.data.audit import audit
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.errors import InputError
from tests.data.conftest import MakeFolder

from .test_card import card_in

COLUMNS = ("query_id:token", "session_id:token", "grade:float")
Row = tuple[str, str, int, str, str, float]


def pages(users: int = 5, moments: int = 6) -> list[Row]:
    """Return rows of users who search in sessions and are shown a page between two searches.

    A search shows four items; one is clicked, one ordered a moment later. Of a page one is taken.
    """
    rows: list[Row] = []
    for u in range(users):
        for t in range(moments):
            start = 7 * u + 5 * t
            items = [f"i{(start + k) % 40}" for k in range(7)]
            session, query = f"s{u}.{t}", f"q{t % 2}"
            for k, (grade, late) in enumerate([(0, 0), (1, 0), (0, 0), (3, 1)]):
                rows.append((f"u{u}", items[k], 10 * t + late, query, session, grade))
            for k, grade in ((4, 0), (5, 2), (6, 0)):
                rows.append((f"u{u}", items[k], 10 * t + 5, "", "", grade))
    return rows


def graded(make_folder: MakeFolder, rows: list[Row] | None = None) -> Path:
    """Write ``rows`` with a card that names their grades."""
    items = [(f"i{k}", f"thing {k}", f"brand{k % 3}") for k in range(40)]
    queries = [("q1", "brand1"), ("q0", "thing")]
    folder = make_folder(rows or pages(), items, queries, columns=COLUMNS)
    files = {kind: {"name": f"ml.{kind}"} for kind in ("inter", "item", "query")}
    return card_in(folder, files=files, grade="grade", title="{title}", text=["brand"])


@pytest.fixture
def dataset(make_folder: MakeFolder) -> Dataset:
    return load_dataset(graded(make_folder))


@pytest.mark.parametrize("task", list(Task))
def test_requests_hold_what_was_taken_and_lists_what_was_shown(
    dataset: Dataset, task: Task
) -> None:
    asked = dataset.evaluation["test", task]
    assert len(asked) == 5
    for i, user in enumerate(asked.requests.user.tolist()):
        mine = [r for r in pages() if r[0] == f"u{user}" and bool(r[3]) == (task is Task.SEARCH)]
        page = [r for r in mine if r[2] // 10 == 5]
        taken = {r[1]: r[5] for r in page if r[5] > 0}
        rows = asked.relevant.request == i
        names = [dataset.items.ids[k] for k in asked.relevant.item[rows].tolist()]
        assert dict(zip(names, asked.relevant.gain[rows].tolist(), strict=True)) == taken
        given = asked.lists["given"].at(np.array([i])).items.tolist()
        assert {dataset.items.ids[k] for k in given} == {r[1] for r in page}


def test_what_was_only_shown_is_no_event(dataset: Dataset) -> None:
    taken = [row for row in pages() if row[5] > 0]
    assert len(dataset.log) == len(taken)
    offsets, seen = dataset.evaluation["test", Task.SEARCH].requests.seen()
    before = {(r[0], r[1]) for r in taken if r[2] < 50}
    user = np.repeat(np.arange(5), np.diff(offsets)).tolist()
    names = (dataset.items.ids[k] for k in seen.tolist())
    assert set(zip((f"u{u}" for u in user), names, strict=True)) == before


def test_exposures_of_a_page_without_anything_taken_ask_for_nothing(
    make_folder: MakeFolder,
) -> None:
    ignored: list[Row] = [("u0", f"i{k}", 70, "q0", "late", 0) for k in range(4)]
    ignored += [("u1", f"i{k}", 71, "", "", 0) for k in range(4)]
    more = load_dataset(graded(make_folder, pages() + ignored))
    for task in Task:
        asked = more.evaluation["test", task]
        assert asked.requests.time.max() <= 55
        shown = 4 if task is Task.SEARCH else 3
        assert asked.lists["given"].lengths.tolist() == [shown] * 5


def test_graded_data_pass_the_audit(dataset: Dataset) -> None:
    report = audit(dataset)
    assert report.ok, report.problems


def test_a_negative_grade_is_refused_with_its_line(make_folder: MakeFolder) -> None:
    rows = pages()
    rows[17] = (*rows[17][:5], -1)
    with pytest.raises(InputError, match=r"ml\.inter:19: grade must be 0 for"):
        load_dataset(graded(make_folder, rows))


def test_an_event_without_grade_is_left_out_and_told(make_folder: MakeFolder) -> None:
    rows: list = pages()
    rows[3] = (*rows[3][:5], "")
    told: list[str] = []
    load_dataset(graded(make_folder, rows), notify=told.append)
    assert any(f"ml.inter:5: grade is empty (1 of {len(rows)} events)" in line for line in told)


def test_data_of_which_nothing_was_taken_are_refused(make_folder: MakeFolder) -> None:
    rows: list[Row] = [(*row[:5], 0) for row in pages()]
    with pytest.raises(InputError, match="every grade is 0"):
        load_dataset(graded(make_folder, rows))


def test_a_card_that_names_a_column_that_is_not_there_is_refused(make_folder: MakeFolder) -> None:
    folder = graded(make_folder)
    files = {kind: {"name": f"ml.{kind}"} for kind in ("inter", "item", "query")}
    with pytest.raises(InputError, match="stars"):
        load_dataset(card_in(folder, files=files, grade="stars"))


@pytest.mark.parametrize("grade", [1e40, 1e-60])
def test_a_grade_that_sums_cannot_hold_is_refused(make_folder: MakeFolder, grade: float) -> None:
    rows = pages()
    rows[17] = (*rows[17][:5], grade)
    with pytest.raises(InputError, match=r"ml\.inter:19: grade must be"):
        load_dataset(graded(make_folder, rows))


def test_a_grade_that_is_another_column_is_refused(make_folder: MakeFolder) -> None:
    folder = graded(make_folder)
    files = {kind: {"name": f"ml.{kind}"} for kind in ("inter", "item", "query")}
    with pytest.raises(InputError, match="'timestamp', which has a meaning already"):
        load_dataset(card_in(folder, files=files, grade="timestamp"))


def test_a_task_that_nothing_was_shown_for_has_no_given_lists(make_folder: MakeFolder) -> None:
    rows = [row for row in pages() if row[3] or row[5] > 0]
    told: list[str] = []
    dataset = load_dataset(graded(make_folder, rows), notify=told.append)
    assert "given" in dataset.evaluation["test", Task.SEARCH].lists
    assert "given" not in dataset.evaluation["test", Task.REC].lists
    assert not any("shown and not taken" in line for line in told)


def test_exposures_that_belong_to_no_request_are_told(make_folder: MakeFolder) -> None:
    rows = [(*r[:2], r[2] - 1, *r[3:]) if r[5] == 0 and not r[4] else r for r in pages()]
    told: list[str] = []
    dataset = load_dataset(graded(make_folder, rows), notify=told.append)
    assert "given" not in dataset.evaluation["test", Task.REC].lists
    assert any("rec: 60 of 60 items that were shown" in line for line in told)


def test_given_lists_of_relevant_items_only_are_told(make_folder: MakeFolder) -> None:
    rows = [r for r in pages() if r[5] > 0 or r[0] != "u0"]
    told: list[str] = []
    asked = load_dataset(graded(make_folder, rows), notify=told.append).evaluation[
        "test", Task.SEARCH
    ]
    assert asked.asked("given").tolist() == [1, 2, 3, 4]
    assert any("test search: 1 of 5 requests are left out of given" in line for line in told)

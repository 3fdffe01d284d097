from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.evaluation_set import CandidateLists, EvaluationSet, Relevant
from benchmark.data.requests import Requests, Task
from tests.data.conftest import log_of, names_of

EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 6), st.sampled_from([0.5, 1.0, 2.0, 3.0])),
    max_size=40,
)
LISTS = st.lists(st.sets(st.integers(0, 9), max_size=6), max_size=6)


def lists_of(lists: list[set[int]]) -> CandidateLists:
    pairs = [(i, item) for i, line in enumerate(lists) for item in line]
    request, item = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return CandidateLists.of_pairs(request, item, len(lists))


def as_lists(lists: CandidateLists) -> list[list[int]]:
    return [lists.items[a:b].tolist() for a, b in pairwise(lists.offsets.tolist())]


def as_grades(relevant: Relevant) -> dict[tuple[int, int], float]:
    rows = zip(
        relevant.request.tolist(), relevant.item.tolist(), relevant.gain.tolist(), strict=True
    )
    return {(request, item): gain for request, item, gain in rows}


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_the_best_grade_of_an_item_in_a_request_counts(events: list[tuple]) -> None:
    request, item, gain = np.array(events, dtype=np.float64).reshape(-1, 3).T
    found = Relevant.of_events(request.astype(np.int32), item.astype(np.int32), gain)
    wanted: dict[tuple[int, int], float] = {}
    for number, place, grade in events:
        wanted[number, place] = max(grade, wanted.get((number, place), 0.0))
    assert list(as_grades(found).items()) == sorted(wanted.items())
    assert len(found) == len(wanted)
    assert (found.request.dtype, found.item.dtype) == (np.int64, np.int32)
    assert found.gain.dtype == np.float32
    assert found.per_request(7).tolist() == [sum(r == i for r, _ in wanted) for i in range(7)]
    assert set(Relevant.of_events(request, item).gain.tolist()) <= {1.0}


@settings(max_examples=100, deadline=None)
@given(LISTS, st.data())
def test_lists_at_any_rows(lists: list[set[int]], data: st.DataObject) -> None:
    made = lists_of(lists)
    assert as_lists(made) == [sorted(line) for line in lists]
    assert made.lengths.tolist() == list(map(len, lists))
    assert made.owner.tolist() == [i for i, line in enumerate(lists) for _ in line]
    if lists:
        rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
        got = made.at(np.array(rows, dtype=np.int64))
        assert as_lists(got) == [sorted(lists[r]) for r in rows]
    drop = np.array([data.draw(st.booleans()) for _ in made.items], dtype=np.bool_)
    left = iter(~drop)
    wanted = [[item for item in sorted(line) if next(left)] for line in lists]
    assert as_lists(made.without(drop)) == wanted


def test_pairs_that_repeat_are_one_candidate() -> None:
    lists = CandidateLists.of_pairs(np.array([2, 0, 2, 2]), np.array([5, 1, 3, 5]), 4)
    assert as_lists(lists) == [[1], [], [3, 5], []]
    assert lists.items.dtype == np.int32


def test_a_rectangle_repeats_the_last_item_of_shorter_lists() -> None:
    lists = lists_of([{4, 2}, {7}, {1, 3, 8}])
    assert lists.rectangle().tolist() == [[2, 4, 4], [7, 7, 7], [1, 3, 8]]
    assert lists.rectangle().dtype == np.int32
    assert lists_of([]).rectangle().shape == (0, 0)
    with pytest.raises(ValueError, match="empty"):
        lists_of([{1}, set()]).rectangle()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.integers(0, 9), st.sampled_from([1.0, 2.0]), min_size=1),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_a_part_of_the_requests_keeps_what_belongs_to_them(
    grades: list[dict[int, float]], data: st.DataObject
) -> None:
    count = len(grades)
    log = log_of([(u, u % 6, 3 * u, -1) for u in range(count)], users=count)
    requests = Requests.before(
        log,
        np.arange(count),
        task=Task.REC,
        user=log.user,
        time=log.time,
        query=log.query,
        queries=names_of(0),
        items=10,
    )
    rows = [(i, item, gain) for i, mine in enumerate(grades) for item, gain in mine.items()]
    request, item, gain = np.array(rows).T
    whole = EvaluationSet(
        requests,
        Relevant.of_events(request.astype(int), item.astype(int), gain),
        {"sampled": lists_of([set(mine) for mine in grades])},
    )
    numbers = data.draw(st.lists(st.integers(0, count - 1), max_size=8))
    part = whole.at(np.array(numbers, dtype=np.int64))
    assert part.requests.user.tolist() == numbers
    assert as_grades(part.relevant) == {
        (place, item): gain for place, i in enumerate(numbers) for item, gain in grades[i].items()
    }
    assert (np.diff(part.relevant.request) >= 0).all()
    assert as_lists(part.lists["sampled"]) == [sorted(grades[i]) for i in numbers]
    half = whole.at(slice(count // 2, None))
    assert half.requests.user.tolist() == list(range(count // 2, count))

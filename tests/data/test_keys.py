"""What stands for slow ways to find things: each is compared with the plain one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.evaluation_set import CandidateLists
from benchmark.data.keys import among, distinct, order_by, place_among
from benchmark.data.requests import Requests, Task
from benchmark.data.sources.order import _lot, events_in_order
from benchmark.data.sources.source import Interactions

from .conftest import log_of, names_of

ITEMS = 6
numbers = st.integers(-3, 6) | st.sampled_from([2**40, -(2**40), 2**62, -(2**62), 2**63 - 1])
lists = st.lists(numbers, max_size=12).map(lambda values: np.array(values, dtype=np.int64))
events = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, ITEMS - 1),
        st.integers(0, 4),
        st.integers(-1, 2),
        st.integers(-1, 2),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), st.integers(1, 4), st.data())
def test_rows_are_ordered_as_lexsort_orders_them(
    rows: int, columns: int, data: st.DataObject
) -> None:
    keys = [
        np.array(data.draw(st.lists(numbers, min_size=rows, max_size=rows)), dtype=np.int64)
        for _ in range(columns)
    ]
    assert order_by(keys).tolist() == np.lexsort(keys).tolist()


@settings(max_examples=60, deadline=None)
@given(lists, lists)
def test_keys_are_told_apart_and_found(keys: np.ndarray, others: np.ndarray) -> None:
    once = distinct(others)
    assert once.tolist() == sorted(set(others.tolist()))
    found = [once.tolist().index(key) if key in once else -1 for key in keys.tolist()]
    assert place_among(keys, once).tolist() == found
    assert among(keys, np.sort(others)).tolist() == [place >= 0 for place in found]


@settings(max_examples=60, deadline=None)
@given(events, st.data())
def test_what_a_history_holds_is_known_without_walking_it(
    rows: list[tuple[int, ...]], data: st.DataObject
) -> None:
    log = log_of(rows, users=3)
    count = data.draw(st.integers(1, 6))
    user = np.array(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)))
    stop = np.array([data.draw(st.integers(*log.offsets[u : u + 2].tolist())) for u in user])
    omitted = st.integers(-1, len(log) - 1)
    width = data.draw(st.integers(0, 3))
    omit = data.draw(
        st.lists(st.lists(omitted, min_size=width, max_size=width), min_size=count, max_size=count)
    )
    zero = np.zeros(count, dtype=np.int64)
    requests = Requests.before(
        log,
        stop,
        task=Task.REC,
        user=user,
        time=zero,
        query=zero - 1,
        queries=names_of(3),
        items=ITEMS,
    ).without(np.array(omit, dtype=np.int64).reshape(count, width))
    offsets, seen = requests.seen()
    pairs = [(r, i) for r in range(count) for i in range(ITEMS)]
    request, item = np.array(pairs).T
    held = [i in seen[offsets[r] : offsets[r + 1]] for r, i in pairs]
    assert requests.holds(request, item).tolist() == held
    assert requests.history_lengths().tolist() == np.diff(offsets).tolist()
    texts = ["" if q < 0 else requests.queries.texts[q] for q in requests.query.tolist()]
    assert requests.query_texts() == texts


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sets(st.integers(0, 9), max_size=8), max_size=5), st.data())
def test_places_in_lists(sets: list[set[int]], data: st.DataObject) -> None:
    pairs = [(r, i) for r, items in enumerate(sets) for i in items]
    request, item = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    found = CandidateLists.of_pairs(request, item, len(sets))
    asked = [(r, i) for r in range(len(sets)) for i in range(-1, 11)]
    request, item = np.array(asked, dtype=np.int64).reshape(-1, 2).T
    places = found.place(request, item).tolist()
    for (r, i), place in zip(asked, places, strict=True):
        assert (place >= 0) == (i in sets[r])
        assert place < 0 or (found.items[place] == i and found.owner[place] == r)


@settings(max_examples=60, deadline=None)
@given(events, st.booleans(), st.data())
def test_events_are_ordered_by_user_time_lot_and_grade(
    rows: list[tuple[int, ...]], graded: bool, data: st.DataObject
) -> None:
    user, item, time, query, session = np.array(rows, dtype=np.int32).T
    grade = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows))))
    ids = [pa.array(data.draw(st.permutations(["a", "bb", "c", "é", "e", "f"]))) for _ in range(4)]
    inter = Interactions(
        *(user, item, time.astype(np.int64), query, session, *ids, np.arange(len(rows))),
        lambda row: pytest.fail("asked for a line"),
        grade=grade.astype(np.float32) if graded else None,
    )
    found = events_in_order(inter)
    names = [
        [None if code < 0 else values[code].as_py() for code in codes.tolist()]
        for values, codes in zip(ids, (user, item, query, session), strict=True)
    ]
    lot = _lot(tuple(zip(ids, (user, item, query, session), strict=True)))
    expected = sorted(
        range(len(rows)),
        key=lambda e: (names[0][e], time[e], lot[e], -grade[e] if graded else 0, e),
    )
    assert found.row.tolist() == expected
    for column, values, mine in zip(
        (found.user, found.item, found.query, found.session),
        (found.users, found.items, found.queries, found.sessions),
        names,
        strict=True,
    ):
        told = [None if code < 0 else values[int(code)].as_py() for code in column]
        assert told == [mine[e] for e in expected]

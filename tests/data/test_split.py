from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.card import Split
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Task
from benchmark.data.split import Parts, kind_of, split
from benchmark.errors import InputError
from tests.data.conftest import log_of, requests_of

ITEMS = 6
EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 6), st.integers(-1, 2)),
    min_size=1,
    max_size=60,
)
Asked = dict[tuple[str, Task], list[int]]


def reference_leave_one_out(log: EventLog) -> Asked:
    asked: Asked = {}
    for task in Task:
        for user in range(log.users):
            mine = [
                r for r in range(len(log)) if log.user[r] == user and log.kind[r] == kind_of(task)
            ]
            if len(mine) >= 3:
                asked.setdefault(("validation", task), []).append(mine[-2])
                asked.setdefault(("test", task), []).append(mine[-1])
    return asked


def reference_temporal(log: EventLog) -> Asked:
    times = sorted(log.time.tolist())
    begin, end = times[len(log) * 8 // 10], times[len(log) * 9 // 10]
    asked: Asked = {}
    for r in range(len(log)):
        task = Task.SEARCH if log.kind[r] else Task.REC
        if log.time[r] >= end:
            asked.setdefault(("test", task), []).append(r)
        elif log.time[r] >= begin:
            asked.setdefault(("validation", task), []).append(r)
    return asked


def reference_train(log: EventLog, asked: Asked, safe: bool) -> list[bool]:
    rows = {r for mine in asked.values() for r in mine}
    pairs = {(log.user[r], log.item[r]) for r in rows}
    return [
        r not in rows and not (safe and (log.user[r], log.item[r]) in pairs)
        for r in range(len(log))
    ]


def reference_omitted(log: EventLog, row: int, safe: bool) -> set[int]:
    before = range(log.offsets[log.user[row]], row)
    if safe:
        return {r for r in before if log.item[r] == log.item[row] and log.time[r] == log.time[row]}
    others = [r for r in before if log.kind[r] != log.kind[row]]
    return {r for r in others[-1:] if log.item[r] == log.item[row]}


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.sampled_from(["leave-one-out", "temporal"]), st.sampled_from(["safe", "paper"]))
def test_split_equals_the_definition(rows: list[tuple], name: str, leakage: str) -> None:
    log = log_of(rows)
    safe = leakage == "safe"
    reference = reference_leave_one_out if name == "leave-one-out" else reference_temporal
    asked = reference(log)
    train = reference_train(log, asked, safe)
    how = Split(name=name, leakage=leakage)
    if not any(train):
        with pytest.raises(InputError, match="no event to train on"):
            split(log, ITEMS, how)
        return
    parts = split(log, ITEMS, how)
    assert parts.train.tolist() == train
    assert {key: got.rows.tolist() for key, got in parts.requests.items()} == asked
    for got in parts.requests.values():
        for row, omit in zip(got.rows.tolist(), got.omit.tolist(), strict=True):
            omitted = [r for r in omit if r >= 0]
            assert len(omitted) == len(set(omitted))
            assert set(omitted) == reference_omitted(log, row, safe)


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.integers(1, 8), st.sampled_from([None, *EventSource]), st.booleans())
def test_history_is_the_log_before_the_event_without_its_copies(
    rows: list[tuple], window: int, kind: EventSource | None, safe: bool
) -> None:
    log = log_of(rows)
    try:
        parts = split(log, ITEMS, Split(leakage="safe" if safe else "paper"))
    except InputError:
        return
    for got in parts.requests.values():
        requests = requests_of(log, got.rows, got.omit)
        history = requests.history(window, kind)
        offsets, seen = requests.seen()
        assert history.item.shape == (len(requests), window)
        for i, row in enumerate(got.rows.tolist()):
            before = range(log.offsets[log.user[row]], row)
            whole = [r for r in before if r not in reference_omitted(log, row, safe)]
            mine = [r for r in whole if kind is None or log.kind[r] == kind][-window:]
            length = int(history.length[i])
            assert length == len(mine)
            for column in ("item", "kind", "query", "time"):
                values = getattr(history, column)[i].tolist()
                assert values[:length] == getattr(log, column)[mine].tolist()
            assert set(history.item[i].tolist()[length:]) <= {-1}
            assert sorted(seen[offsets[i] : offsets[i + 1]]) == sorted(log.item[whole])


def test_users_with_fewer_than_three_events_of_a_task_only_train() -> None:
    log = log_of([(0, 0, 1, -1), (0, 1, 2, -1), (1, 0, 1, -1), (1, 1, 2, -1), (1, 2, 3, -1)])
    parts = split(log, ITEMS, Split())
    assert parts.requests["test", Task.REC].rows.tolist() == [4]
    assert parts.train.tolist() == [True, True, True, False, False]
    assert ("test", Task.SEARCH) not in parts.requests


def test_order_at_equal_times_is_the_position_in_the_file() -> None:
    log = log_of([(0, item, 5, -1) for item in (3, 1, 4, 2)])
    parts = split(log, ITEMS, Split())
    assert log.item[parts.requests["test", Task.REC].rows].tolist() == [2]
    assert log.item[parts.requests["validation", Task.REC].rows].tolist() == [4]


def twins() -> EventLog:
    """Return a log where every search is a copy of a purchase, as in semi-synthetic Amazon."""
    return log_of([(0, i, i, q) for i in range(6) for q in (-1, 0)], users=1)


def test_safe_keeps_the_answer_out_of_training_and_history() -> None:
    log = twins()
    parts = split(log, ITEMS, Split())
    trained = set(log.item[parts.train].tolist())
    for got in parts.requests.values():
        history = requests_of(log, got.rows, got.omit).history(20)
        for target, before in zip(log.item[got.rows].tolist(), history.item.tolist(), strict=True):
            assert target not in trained
            assert target not in before
    assert trained == {0, 1, 2, 3}


def test_paper_keeps_twins_in_training_and_drops_only_the_latest_item() -> None:
    log = log_of([(0, i, i, q) for i in range(6) for q in (-1, 0)] + [(0, 0, 5, -1)], users=1)
    parts = split(log, ITEMS, Split(leakage="paper"))
    assert 4 in log.item[parts.train]
    got = parts.requests["test", Task.SEARCH]
    assert log.item[got.rows].tolist() == [5]
    assert log.item[got.omit].tolist() == [[5]]


def test_temporal_keeps_a_moment_together_and_later_parts_in_histories() -> None:
    log = log_of([(u, u, t, -1) for t in range(10) for u in range(5)])
    parts = split(log, ITEMS, Split(name="temporal", leakage="paper"))
    assert log.time[parts.train].max() == 7
    assert set(log.time[parts.requests["validation", Task.REC].rows].tolist()) == {8}
    got = parts.requests["test", Task.REC]
    history = requests_of(log, got.rows, got.omit).history(1)
    assert set(history.time[:, 0].tolist()) == {8}


def test_temporal_limit_draws_requests_and_trains_on_nothing_later() -> None:
    log = log_of([(u, (u + t) % 6, t, -1) for t in range(100) for u in range(5)])
    how = Split(name="temporal", leakage="paper", limit=7)
    parts = split(log, ITEMS, how)
    again = split(log, ITEMS, how)
    for key, got in parts.requests.items():
        assert len(np.unique(got.rows)) == len(got.rows) == 7
        assert got.rows.tolist() == again.requests[key].rows.tolist()
    assert int(parts.train.sum()) == 400


def test_a_single_moment_cannot_be_cut_in_time() -> None:
    with pytest.raises(InputError, match="no event to train on"):
        split(log_of([(0, i, 3, -1) for i in range(5)]), ITEMS, Split(name="temporal"))


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_no_pair_of_a_request_is_ever_trained_on(rows: list[tuple]) -> None:
    log = log_of(rows)
    try:
        parts: Parts = split(log, ITEMS, Split())
    except InputError:
        return
    trained = set(zip(log.user[parts.train], log.item[parts.train], strict=True))
    for got in parts.requests.values():
        assert not trained & set(zip(log.user[got.rows], log.item[got.rows], strict=True))


def test_log_is_sorted_by_user_time_and_position() -> None:
    generator = np.random.default_rng(0)
    rows = generator.integers(0, 5, (200, 4)).tolist()
    log = log_of([tuple(row) for row in rows])
    wanted = sorted(range(200), key=lambda r: (rows[r][0], rows[r][2]))
    assert log.item.tolist() == [rows[r][1] for r in wanted]
    groups = [len(list(g)) for _, g in groupby(log.user.tolist())]
    assert np.diff(log.offsets).tolist() == groups


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2**62)), max_size=20))
def test_log_is_sorted_also_for_enormous_times(rows: list[tuple[int, int]]) -> None:
    log = log_of([(user, row, time, -1) for row, (user, time) in enumerate(rows)])
    assert log.item.tolist() == sorted(range(len(rows)), key=lambda r: rows[r])

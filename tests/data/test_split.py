from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.card import Split
from benchmark.data.events import EventLog, EventSource
from benchmark.data.grouping import group_events, kind_of
from benchmark.data.requests import Task
from benchmark.data.split import Parts, split
from benchmark.errors import InputError
from tests.data.conftest import log_of, requests_of

ITEMS = 6
# Few users, times and sessions: events share moments and sessions all the time.
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 5),
        st.integers(0, 6),
        st.integers(-1, 1),
        st.integers(-1, 2),
    ),
    min_size=1,
    max_size=60,
)
Group = list[int]
Asked = dict[tuple[str, Task], list[Group]]


def reference_groups(log: EventLog, task: Task) -> list[Group]:
    """Return the log rows of each request, in the order of their first rows."""
    found: dict[tuple, Group] = {}
    for r in range(len(log)):
        user, query, time, session = log.user[r], log.query[r], log.time[r], log.session[r]
        if log.kind[r] != kind_of(task):
            continue
        if task is Task.SEARCH:
            key = ("in", user, session, query) if session >= 0 else ("at", user, time, query)
        else:
            key = ("in", user, session, time) if session >= 0 else ("alone", r)
        found.setdefault(key, []).append(r)
    return sorted(found.values(), key=lambda group: group[0])


def reference_leave_one_out(log: EventLog) -> Asked:
    asked: Asked = {}
    for task in Task:
        groups = reference_groups(log, task)
        for user in range(log.users):
            mine = [group for group in groups if log.user[group[0]] == user]
            if len(mine) >= 3:
                asked.setdefault(("validation", task), []).append(mine[-2])
                asked.setdefault(("test", task), []).append(mine[-1])
    return asked


def reference_temporal(log: EventLog) -> Asked:
    times = sorted(log.time.tolist())
    begin, end = times[len(log) * 8 // 10], times[len(log) * 9 // 10]
    asked: Asked = {}
    for task in Task:
        for group in reference_groups(log, task):
            if log.time[group[0]] >= end:
                asked.setdefault(("test", task), []).append(group)
            elif log.time[group[0]] >= begin:
                asked.setdefault(("validation", task), []).append(group)
    return asked


def reference_train(log: EventLog, asked: Asked, safe: bool) -> list[bool]:
    rows = {r for groups in asked.values() for group in groups for r in group}
    pairs = {(log.user[r], log.item[r]) for r in rows}
    return [
        r not in rows and not (safe and (log.user[r], log.item[r]) in pairs)
        for r in range(len(log))
    ]


def reference_apart(log: EventLog, asked: Asked) -> Asked:
    """Take out of validation what a test request of the same user asks for."""
    tested = {
        (log.user[r], log.item[r])
        for (part, _), groups in asked.items()
        if part == "test"
        for group in groups
        for r in group
    }
    apart: Asked = {}
    for (part, task), groups in asked.items():
        left = [
            [r for r in group if part == "test" or (log.user[r], log.item[r]) not in tested]
            for group in groups
        ]
        if any(left):
            apart[part, task] = [group for group in left if group]
    return apart


def reference_history(log: EventLog, group: Group, safe: bool) -> list[int]:
    """Return the log rows that the request of ``group`` may know, oldest first."""
    first = group[0]
    mine = [r for r in range(len(log)) if log.user[r] == log.user[first]]
    session = log.session[first]
    if safe:
        earlier = [r for r in mine if log.time[r] < log.time[first]]
        return [r for r in earlier if session < 0 or log.session[r] != session]
    above = [r for r in mine if r < first]
    others = [r for r in above if log.kind[r] != log.kind[first]]
    twin = {r for r in others[-1:] if log.item[r] == log.item[first]}
    return [r for r in above if r not in twin]


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_events_of_one_search_or_page_are_one_request(rows: list[tuple]) -> None:
    log = log_of(rows)
    for task in Task:
        groups = group_events(log, task)
        wanted = reference_groups(log, task)
        assert groups.rows.tolist() == [r for group in wanted for r in group]
        assert np.diff(groups.offsets).tolist() == [len(group) for group in wanted]
        assert groups.first.tolist() == [group[0] for group in wanted]
        assert groups.owner.tolist() == [i for i, group in enumerate(wanted) for _ in group]


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.sampled_from(["leave-one-out", "temporal"]), st.sampled_from(["safe", "paper"]))
def test_split_equals_the_definition(rows: list[tuple], name: str, leakage: str) -> None:
    log = log_of(rows)
    safe = leakage == "safe"
    reference = reference_leave_one_out if name == "leave-one-out" else reference_temporal
    asked = reference(log)
    train = reference_train(log, asked, safe)
    if name == "temporal":
        begin = sorted(log.time.tolist())[len(log) * 8 // 10]
        train = [kept and log.time[row] < begin for row, kept in enumerate(train)]
    how = Split(name=name, leakage=leakage)
    if not any(train):
        with pytest.raises(InputError, match=r"leaves none of \d+ events to train on"):
            split(log, ITEMS, how)
        return
    parts = split(log, ITEMS, how)
    assert parts.train.tolist() == train
    whole, asked = asked, reference_apart(log, asked) if safe else asked
    assert set(parts.requests) == set(asked)
    for (part, task), got in parts.requests.items():
        wanted = asked[part, task]
        every = reference_groups(log, task)
        complete = [every[number] for number in got.groups.tolist()]
        assert all(set(part) <= set(group) for part, group in zip(wanted, complete, strict=True))
        assert got.first.tolist() == [group[0] for group in complete]
        assert got.events.tolist() == [r for group in wanted for r in group]
        assert got.owner.tolist() == [i for i, group in enumerate(wanted) for _ in group]
        assert all(group in whole[part, task] for group in complete)
        offsets, history = requests_of(log, got, task).history_rows()
        for i, group in enumerate(complete):
            found = history[offsets[i] : offsets[i + 1]].tolist()
            assert found == reference_history(log, group, safe)


@settings(max_examples=200, deadline=None)
@given(
    EVENTS,
    st.integers(1, 8),
    st.sampled_from([None, *EventSource]),
    st.sampled_from(["leave-one-out", "temporal"]),
    st.booleans(),
)
def test_windows_of_histories_end_with_the_latest_events_that_may_be_known(
    rows: list[tuple], window: int, kind: EventSource | None, name: str, safe: bool
) -> None:
    log = log_of(rows)
    try:
        parts = split(log, ITEMS, Split(name=name, leakage="safe" if safe else "paper"))
    except InputError:
        return
    for (_, task), got in parts.requests.items():
        requests = requests_of(log, got, task)
        history = requests.history(window, kind)
        offsets, seen = requests.seen()
        assert history.item.shape == (len(requests), window)
        for i in range(len(requests)):
            whole = reference_history(log, [int(got.first[i])], safe)
            mine = [r for r in whole if kind is None or log.kind[r] == kind][-window:]
            length = int(history.length[i])
            assert length == len(mine)
            for column in ("item", "kind", "query", "time"):
                values = getattr(history, column)[i].tolist()
                assert values[:length] == getattr(log, column)[mine].tolist()
            assert set(history.item[i].tolist()[length:]) <= {-1}
            assert seen[offsets[i] : offsets[i + 1]].tolist() == log.item[whole].tolist()


def test_a_search_is_asked_once_however_many_items_were_clicked() -> None:
    clicks = [(0, item, 9, 0) for item in (3, 1, 4)]
    log = log_of([(0, 0, 1, 0), (0, 2, 5, 0), *clicks])
    got = split(log, ITEMS, Split(leakage="paper")).requests["test", Task.SEARCH]
    assert len(got.first) == 1
    assert log.item[got.events].tolist() == [3, 1, 4]


def test_later_clicks_of_a_session_belong_to_its_search_and_other_queries_do_not() -> None:
    early = [(0, 0, 0, -1, -1), (0, 1, 1, 0, 0), (0, 2, 2, 0, 1)]
    log = log_of([*early, (0, 3, 5, 0, 7), (0, 4, 6, 1, 7), (0, 5, 7, 0, 7)])
    parts = split(log, ITEMS, Split())
    test, validation = (parts.requests[part, Task.SEARCH] for part in ("test", "validation"))
    assert log.item[validation.events].tolist() == [3, 5]
    assert log.item[test.events].tolist() == [4]
    _, seen = requests_of(log, test, Task.SEARCH).seen()
    assert seen.tolist() == [0, 1, 2], "what happened in the session itself is no history"


def test_users_with_fewer_than_three_events_of_a_task_only_train() -> None:
    log = log_of([(0, 0, 1, -1), (0, 1, 2, -1), (1, 0, 1, -1), (1, 1, 2, -1), (1, 2, 3, -1)])
    parts = split(log, ITEMS, Split())
    assert parts.requests["test", Task.REC].first.tolist() == [4]
    assert parts.train.tolist() == [True, True, True, False, False]
    assert ("test", Task.SEARCH) not in parts.requests


def test_order_at_equal_times_is_the_position_in_the_file() -> None:
    log = log_of([(0, item, 5, -1) for item in (3, 1, 4, 2)])
    parts = split(log, ITEMS, Split())
    assert log.item[parts.requests["test", Task.REC].first].tolist() == [2]
    assert log.item[parts.requests["validation", Task.REC].first].tolist() == [4]


def twins() -> EventLog:
    """Return a log where every search is a copy of a purchase, as in semi-synthetic Amazon."""
    return log_of([(0, i, i, q) for i in range(6) for q in (-1, 0)], users=1)


def test_safe_keeps_the_answer_out_of_training_and_history() -> None:
    log = twins()
    parts = split(log, ITEMS, Split())
    trained = set(log.item[parts.train].tolist())
    for (_, task), got in parts.requests.items():
        history = requests_of(log, got, task).history(20)
        for target, before in zip(log.item[got.first].tolist(), history.item.tolist(), strict=True):
            assert target not in trained
            assert target not in before
    assert trained == {0, 1, 2, 3}


def test_paper_keeps_twins_in_training_and_drops_only_the_latest_item() -> None:
    log = log_of([(0, i, i, q) for i in range(6) for q in (-1, 0)] + [(0, 0, 5, -1)], users=1)
    parts = split(log, ITEMS, Split(leakage="paper"))
    assert 4 in log.item[parts.train]
    got = parts.requests["test", Task.SEARCH]
    assert log.item[got.first].tolist() == [5]
    assert log.item[got.omit].tolist() == [[5]]


def test_temporal_keeps_a_moment_together_and_later_parts_in_histories() -> None:
    log = log_of([(u, u, t, -1) for t in range(10) for u in range(5)])
    parts = split(log, ITEMS, Split(name="temporal", leakage="paper"))
    assert log.time[parts.train].max() == 7
    assert set(log.time[parts.requests["validation", Task.REC].first].tolist()) == {8}
    got = parts.requests["test", Task.REC]
    history = requests_of(log, got, Task.REC).history(1)
    assert set(history.time[:, 0].tolist()) == {8}


def test_temporal_limit_draws_requests_and_trains_on_nothing_later() -> None:
    log = log_of([(u, (u + t) % 6, t, -1) for t in range(100) for u in range(5)])
    how = Split(name="temporal", leakage="paper", limit=7)
    parts = split(log, ITEMS, how)
    again = split(log, ITEMS, how)
    for key, got in parts.requests.items():
        assert len(np.unique(got.first)) == len(got.first) == 7
        assert got.first.tolist() == again.requests[key].first.tolist()
    assert int(parts.train.sum()) == 400


def test_a_single_moment_cannot_be_cut_in_time() -> None:
    with pytest.raises(InputError, match=r"leaves none of \d+ events to train on"):
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
        assert not trained & set(zip(log.user[got.events], log.item[got.events], strict=True))


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


def test_a_session_over_the_first_cut_trains_nothing_from_behind_it() -> None:
    rows = [(u, (u + t) % 6, t, -1) for t in range(20) for u in range(5)]
    straddling = [(0, 1, 15, 0, 3), (0, 2, 19, 0, 3)]
    log = log_of([*rows, *straddling])
    parts = split(log, ITEMS, Split(name="temporal", leakage="paper"))
    begin = min(log.time[asked.first].min() for asked in parts.requests.values())
    assert log.time[parts.train].max() < begin


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.lists(st.integers(0, 2), min_size=60, max_size=60))
def test_an_official_split_asks_each_request_in_the_latest_part_of_its_events(
    rows: list[tuple], given_parts: list[int]
) -> None:
    log = log_of(rows)
    official = np.array(given_parts[: len(log)], dtype=np.uint8)
    asked: Asked = {}
    for task in Task:
        for group in reference_groups(log, task):
            latest = max(given_parts[row] for row in group)
            if latest:
                asked.setdefault((("validation", "test")[latest - 1], task), []).append(group)
    train = reference_train(log, asked, safe=True)
    if not any(train):
        with pytest.raises(InputError, match="the official split leaves none"):
            split(log, ITEMS, Split(name="official"), official=official)
        return
    parts = split(log, ITEMS, Split(name="official"), official=official)
    assert parts.train.tolist() == train
    assert not official[parts.train].any()
    for (part, task), groups in reference_apart(log, asked).items():
        got = parts.requests[part, task]
        assert got.events.tolist() == [r for group in groups for r in group]
        assert got.owner.tolist() == [i for i, group in enumerate(groups) for _ in group]


def test_an_official_split_needs_a_source_that_has_one() -> None:
    with pytest.raises(InputError, match="do not say what trains and what tests"):
        split(log_of([(0, 1, 1, -1)]), ITEMS, Split(name="official"))


def test_a_validation_request_that_keeps_an_item_is_told_by_what_it_loses() -> None:
    item = np.array([0, 1, 2, 3, 4, 5, 6, 2], dtype=np.int32)
    time = np.array([0, 1, 2, 2, 3, 4, 5, 6], dtype=np.int64)
    query = np.array([-1] * 5 + [0, 1, 2], dtype=np.int32)
    session = np.array([0, 1, 2, 2, 3, 4, 5, 6], dtype=np.int32)
    kind = (query >= 0).astype(np.uint8)
    log = EventLog.from_columns(np.zeros(8, np.int32), item, time, kind, query, session, 1)
    parts = split(log, 7, Split())
    assert log.item[parts.requests["validation", Task.REC].events].tolist() == [3]
    assert parts.notes == (
        "validation rec: 1 of 2 relevant items are taken out, as a test request asks for the same"
        " item for their user",
    )


def test_a_long_session_takes_no_room_for_every_request() -> None:
    """One session of 20,000 events beside 2,000 users: a row for each would be 40 million."""
    long, users = 20_000, 2_000
    rows = [(0, t, t, -1, -1) for t in range(3)] + [(0, 5, 3 + t, -1, 0) for t in range(long)]
    rows += [(u, u % 7, t, -1, -1) for u in range(1, users) for t in range(4)]
    log = log_of(rows, users=users)
    got = split(log, ITEMS, Split()).requests["test", Task.REC]
    assert len(got.first) == users
    assert got.omit.size == 0
    assert requests_of(log, got, Task.REC)[:1].history(5).item.tolist() == [[0, 1, 2, -1, -1]]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(-1, 2)), min_size=1))
def test_what_is_outside_of_a_session_is_what_else_its_user_did(rows: list[tuple]) -> None:
    log = log_of([(user, 0, time, -1, session) for user, time, session in rows], users=2)
    stop, omit = log.outside_session(np.arange(len(log)), log.first_of_moment)
    for row in range(len(log)):
        above = range(int(log.offsets[log.user[row]]), int(stop[row]))
        kept = [each for each in above if each not in omit[row]]
        assert kept == [
            each
            for each in range(len(log))
            if log.user[each] == log.user[row]
            and log.time[each] < log.time[row]
            and (log.session[row] < 0 or log.session[each] != log.session[row])
        ]

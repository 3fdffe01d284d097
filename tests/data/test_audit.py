from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.audit import AuditReport, audit
from benchmark.data.dataset import CandidateLists, Dataset, EvaluationSet, Protocol
from benchmark.data.events import EventLog, EventSource
from benchmark.data.load import load_dataset
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from tests.data.conftest import MakeFolder

from .test_card import ITEMS, rows
from .test_grades import graded
from .test_split import EVENTS

SEARCH = ("test", Task.SEARCH)
REC = ("test", Task.REC)


@pytest.fixture
def dataset(make_folder: MakeFolder) -> Dataset:
    inter = [(u, i, t, "q" if t % 2 else "") for u, i, t in rows(6, 8)]
    items = [*ITEMS, *((f"more{k}", f"more {k}", "") for k in range(200))]
    made = load_dataset(make_folder(inter, items, [("q", "thing"), ("r", "brand1")]))
    assert audit(made).ok
    return made


def with_event(log: EventLog, user: int, item: int, time: int, query: int) -> EventLog:
    def added(column: np.ndarray, value: int) -> np.ndarray:
        return np.append(column, np.array([value], dtype=column.dtype))

    return EventLog.from_columns(
        added(log.user, user),
        added(log.item, item),
        added(log.time, time),
        added(log.kind, EventSource.SEARCHED if query >= 0 else EventSource.RECOMMENDED),
        added(log.query, query),
        added(log.session, -1),
        log.users,
    )


def with_training(dataset: Dataset, log: EventLog) -> Dataset:
    return replace(dataset, train=replace(dataset.train, log=log))


def with_set(dataset: Dataset, key: tuple, changed: EvaluationSet) -> Dataset:
    return replace(dataset, evaluation={**dataset.evaluation, key: changed})


def found(report: AuditReport, key: tuple, name: str) -> int:
    row = next(r for r in report.rows if (r.part, r.task) == (key[0], str(key[1])))
    return getattr(row, name)


def relevant_item(asked: EvaluationSet, request: int) -> int:
    """Return the first relevant item of a request."""
    return int(asked.relevant.at(np.array([request])).item[0])


def test_twin_planted_in_training_is_found(dataset: Dataset) -> None:
    asked = dataset.evaluation[SEARCH]
    user, time = int(asked.requests.user[2]), int(asked.requests.time[2])
    log = with_event(dataset.train.log, user, relevant_item(asked, 2), time, -1)
    report = audit(with_training(dataset, log))
    assert not report.ok
    assert found(report, SEARCH, "twins_in_training") == 1
    assert found(report, SEARCH, "pairs_in_training") == 1
    assert any("twin" in line and "test search" in line for line in report.problems)


def test_pair_at_another_time_is_found(dataset: Dataset) -> None:
    asked = dataset.evaluation[REC]
    log = with_event(dataset.train.log, int(asked.requests.user[0]), relevant_item(asked, 0), 0, 0)
    report = audit(with_training(dataset, log))
    assert not report.ok
    assert found(report, REC, "pairs_in_training") == 1
    assert found(report, REC, "twins_in_training") == 0


def stopping(asked: EvaluationSet, further: int) -> EvaluationSet:
    """Return the requests with histories that end ``further`` rows later in the log."""
    requests = replace(asked.requests, _stop=asked.requests._stop + further)
    return replace(asked, requests=requests)


def test_own_event_in_the_history_is_found(dataset: Dataset) -> None:
    asked = dataset.evaluation[SEARCH]
    report = audit(with_set(dataset, SEARCH, stopping(asked, 1)))
    assert not report.ok
    assert found(report, SEARCH, "twins_in_history") == len(asked)
    assert found(report, SEARCH, "same_time_in_history") == len(asked)


def test_later_event_in_the_history_is_found(dataset: Dataset) -> None:
    key = ("validation", Task.REC)
    asked = dataset.evaluation[key]
    report = audit(with_set(dataset, key, stopping(asked, 2)))
    assert not report.ok
    assert found(report, key, "later_in_history") == len(asked)


def test_another_event_of_the_same_time_in_the_history_is_found(make_folder: MakeFolder) -> None:
    inter = [("a", i, t) for i, t in zip("uvwxyz", (1, 2, 3, 4, 5, 5), strict=True)]
    inter += [("b", i, t) for t, i in enumerate("uvwxyz")]
    dataset = load_dataset(make_folder(inter))
    assert audit(dataset).ok
    asked = dataset.evaluation[REC]
    report = audit(with_set(dataset, REC, replace(asked, requests=one_row_further(asked, 0))))
    assert not report.ok
    assert found(report, REC, "same_time_in_history") == 1
    assert found(report, REC, "twins_in_history") == 0
    assert any("event of their own time" in line for line in report.problems)


def one_row_further(asked: EvaluationSet, request: int) -> Requests:
    """Return the requests, one of them with a history that ends one row later."""
    stop = asked.requests._stop.copy()
    stop[request] += 1
    return replace(asked.requests, _stop=stop)


def test_own_session_in_the_history_is_found(make_folder: MakeFolder) -> None:
    dataset = sessions_and_repeats(make_folder)
    asked = dataset.evaluation[SEARCH]
    none = replace(asked.requests, _omit=np.empty((len(asked), 0), dtype=np.int64))
    report = audit(with_set(dataset, SEARCH, replace(asked, requests=none)))
    assert not report.ok
    assert found(report, SEARCH, "own_session_in_history") > 0
    assert found(report, SEARCH, "same_time_in_history") == 0


def test_a_target_that_was_seen_is_found_where_the_history_is_left_out(
    make_folder: MakeFolder,
) -> None:
    inter = [("a", i, t) for t, i in enumerate("vwxyzx")] + [
        ("b", i, t) for t, i in enumerate("vw")
    ]
    folder = make_folder(inter)
    assert REC not in load_dataset(folder).evaluation
    kept = load_dataset(folder, seen="keep")
    assert audit(kept).ok
    asked = kept.evaluation[REC]
    leaving_out = replace(asked, requests=replace(asked.requests, exclude_seen=True))
    report = audit(with_set(kept, REC, leaving_out))
    assert not report.ok
    assert found(report, REC, "seen_targets") == 1


def with_line(lists: CandidateLists, request: int, line: Sequence[int]) -> CandidateLists:
    """Return the lists with another one for a request."""
    parts = np.split(lists.items, lists.offsets[1:-1])
    parts[request] = np.array(line, dtype=np.int32)
    lengths = [len(part) for part in parts]
    return CandidateLists(np.concatenate([[0], np.cumsum(lengths)]), np.concatenate(parts))


def with_lists(
    dataset: Dataset, key: tuple, protocol: Protocol, request: int, line: Sequence[int]
) -> Dataset:
    asked = dataset.evaluation[key]
    lists = {**asked.lists, protocol: with_line(asked.lists[protocol], request, line)}
    return with_set(dataset, key, replace(asked, lists=lists))


def line_of(dataset: Dataset, key: tuple, protocol: Protocol, request: int) -> list[int]:
    lists = dataset.evaluation[key].lists[protocol]
    return lists.at(np.array([request])).items.tolist()


def test_wrong_candidates_are_found(dataset: Dataset) -> None:
    line = line_of(dataset, REC, "sampled", 0)
    user = dataset.evaluation[REC].requests.user[0]
    seen = next(i for i in dataset.log.item[dataset.log.user == user].tolist() if i not in line)
    report = audit(with_lists(dataset, REC, "sampled", 0, sorted([*line, seen])))
    assert not report.ok
    assert found(report, REC, "wrong_negatives") == 1
    assert found(report, REC, "broken_lists") == 0


def broken(line: list[int], relevant: int, fault: str) -> list[int]:
    """Return a list of candidates with something wrong about it."""
    if fault == "relevant missing":
        return [item for item in line if item != relevant]
    if fault == "repeated":
        return [line[0], *line]
    if fault == "descending":
        return line[::-1]
    return [*line, 10**6]


FAULTS = ("relevant missing", "repeated", "descending", "no such item")


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_candidates_are_found(dataset: Dataset, fault: str) -> None:
    line = line_of(dataset, SEARCH, "sampled", 1)
    line = broken(line, relevant_item(dataset.evaluation[SEARCH], 1), fault)
    report = audit(with_lists(dataset, SEARCH, "sampled", 1, line))
    assert not report.ok
    assert found(report, SEARCH, "broken_lists") == 1


@pytest.mark.parametrize("key", [REC, SEARCH])
def test_a_list_that_is_missing_without_reason_is_found(dataset: Dataset, key: tuple) -> None:
    report = audit(with_lists(dataset, key, "sampled", 1, []))
    assert not report.ok
    assert found(report, key, "missing_lists") == 1


def test_validation_that_asks_for_a_tested_pair_is_found(dataset: Dataset) -> None:
    key = ("validation", Task.REC)
    asked, test = dataset.evaluation[key], dataset.evaluation[SEARCH]
    user = int(asked.requests.user[0])
    place = test.requests.user.tolist().index(user)
    item = asked.relevant.item.copy()
    item[0] = relevant_item(test, place)
    relevant = replace(asked.relevant, item=item)
    report = audit(with_set(dataset, key, replace(asked, relevant=relevant)))
    assert not report.ok
    assert found(report, key, "tested_pairs") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_given_lists_are_found(make_folder: MakeFolder, fault: str) -> None:
    dataset = load_dataset(graded(make_folder))
    line = line_of(dataset, SEARCH, "given", 1)
    line = broken(line, relevant_item(dataset.evaluation[SEARCH], 1), fault)
    report = audit(with_lists(dataset, SEARCH, "given", 1, line))
    # Who shows a list may not have shown everything that is relevant.
    missing = fault == "relevant missing"
    assert report.ok == missing
    assert found(report, SEARCH, "broken_lists") == (0 if missing else 1)


def sessions_and_repeats(make_folder: MakeFolder, seed: int = 0, name: str = "ml") -> Dataset:
    """Load data with sessions of several clicks, events of one second and repeated purchases."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(12):
        for visit in range(6):
            for _ in range(int(rng.integers(1, 6))):
                second = 20 * visit + int(rng.integers(0, 4))
                query = f"q{rng.integers(0, 2)}" if rng.random() < 0.6 else ""
                session = f"s{user}.{visit}" if rng.random() < 0.8 else ""
                rows.append((f"u{user}", f"i{rng.integers(0, 15)}", second, query, session))
    queries = [("q0", "thing"), ("q1", "brand1")]
    columns = ("query_id:token", "session_id:token")
    return load_dataset(make_folder(rows, None, queries, name=name, columns=columns), seen="keep")


def test_sessions_same_seconds_and_repeats_leak_nothing(make_folder: MakeFolder) -> None:
    for seed in range(10):
        dataset = sessions_and_repeats(make_folder, seed, f"data{seed}")
        moments = set(zip(dataset.log.user.tolist(), dataset.log.time.tolist(), strict=True))
        assert len(moments) < len(dataset.log), "some events share a moment"
        report = audit(dataset)
        assert report.ok, report.problems
        for row in report.rows:
            assert row.same_time_in_history == row.own_session_in_history == 0
        assert any(row.repeated_targets for row in report.rows)
        assert any(row.relevant > row.requests for row in report.rows)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.sampled_from(["exclude", "keep"]))
def test_whatever_the_data_safe_is_safe(events: list[tuple], seen: str) -> None:
    rows = [
        (f"u{user}", f"i{item}", time, f"q{query}" if query >= 0 else "",
         f"s{session}" if session >= 0 else "")
        for user, item, time, query, session in events
    ]  # fmt: skip
    header = "user_id:token\titem_id:token\ttimestamp:float\tquery_id:token\tsession_id:token"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "any"
        folder.mkdir()
        lines = [header, *("\t".join(map(str, row)) for row in rows)]
        (folder / "any.inter").write_text("\n".join(lines) + "\n", encoding="utf-8")
        table = "query_id:token\tquery:token_seq\nq0\tone\nq1\ttwo\n"
        (folder / "any.query").write_text(table, encoding="utf-8")
        try:
            dataset = load_dataset(folder, cache=Path(name) / "cache", seen=seen)
        except InputError as error:
            assert re.search("no event to train on|none of [0-9]+ events to train on", str(error))
            return
    report = audit(dataset)
    assert report.ok, report.problems


def test_words_of_a_hidden_query_are_found(dataset: Dataset) -> None:
    assert dataset.train.queries.texts == ("thing", "")
    shown = replace(dataset, train=replace(dataset.train, queries=dataset.queries))
    report = audit(shown)
    assert not report.ok
    assert report.hidden_queries_shown == 1


def test_later_training_share_and_repeated_targets(make_folder: MakeFolder) -> None:
    inter = [("a", i, t, "") for t, i in enumerate("vwxyzx")]
    inter += [("b", i, t, "q" if t < 3 else "") for t, i in enumerate("vwxyzu")]
    inter.append(("c", "t", 0, ""))
    folder = make_folder(inter, None, [("q", "words")])
    report = audit(load_dataset(folder, seen="keep"))
    assert report.ok
    assert found(report, REC, "repeated_targets") == 1
    assert found(report, REC, "not_asked") == 0
    assert found(report, SEARCH, "later_training") == 1.0
    assert found(report, REC, "later_training") == 0.0
    report = audit(load_dataset(folder))
    assert report.ok
    assert found(report, REC, "repeated_targets") == 0
    assert found(report, REC, "not_asked") == 1

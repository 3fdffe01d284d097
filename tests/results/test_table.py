from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.easy import hard_requests
from benchmark.data.requests import PAD, Task
from benchmark.results.table import SHARED, counts_table, shared_table, top_table
from tests.evaluation.reference import World
from tests.results.graded import graded

COLUMNS = [
    "task",
    "protocol",
    "request",
    "user",
    "query",
    "item",
    "gain",
    "candidates",
    "query_kind",
    "history",
    "item_events",
    "hard",
]


def _slowly(dataset: Dataset) -> list[tuple[Any, ...]]:
    rows = []
    train = dataset.train.log.item.tolist()
    for task in Task:
        evaluation = dataset.evaluation["test", task]
        requests, relevant = evaluation.requests, evaluation.relevant
        offsets, seen = requests.seen()
        hard = hard_requests(evaluation, dataset)
        for protocol in ("full", "sampled", "given"):
            if protocol != "full" and protocol not in evaluation.lists:
                continue
            for number, item, gain in zip(
                relevant.request, relevant.item, relevant.gain, strict=True
            ):
                history = seen[offsets[number] : offsets[number + 1]].tolist()
                size = len(dataset.items)
                if protocol == "full" and requests.exclude_seen:
                    size -= len(set(history))
                if protocol != "full":
                    size = int(evaluation.lists[protocol].lengths[number])
                kind = requests.query_kinds()[number]
                asked = (number, requests.user[number], requests.query[number], item, gain)
                row = (str(task), protocol, *asked, size, kind, len(history))
                row = (*row, train.count(item), hard[number])
                rows.append(row)
    return rows


@pytest.mark.parametrize("seen", [True, False])
def test_the_shared_table_equals_a_slow_count(tiny: Dataset, seen: bool) -> None:
    several = graded(tiny)
    evaluation = {
        (part, task): replace(
            e, requests=replace(e.requests, exclude_seen=seen and task is Task.REC)
        )
        for (part, task), e in several.evaluation.items()
    }
    data = replace(several, evaluation=evaluation)
    frame = shared_table(data).to_pandas()
    assert list(frame.columns) == [*SHARED.names, "hard"] == COLUMNS
    assert list(frame.itertuples(index=False, name=None)) == _slowly(data)
    rows = frame.groupby(["task", "protocol", "request"]).size()
    assert rows.max() == 3 and frame["gain"].nunique() == 3


@pytest.mark.parametrize("exclude", [True, False])
def test_an_item_that_was_met_twice_leaves_the_candidates_once(exclude: bool) -> None:
    world = World.drawn(4, requests=6, items=12, levels=3, exclude=exclude)
    assert any(len(set(seen)) < len(seen) for seen in world.seen)
    frame = shared_table(world.dataset()).to_pandas()
    found = frame[frame["protocol"] == "full"]["candidates"].tolist()
    assert found == [row[-1] for row in world.rows("full")]


def test_without_given_lists_there_is_no_given_block(tiny: Dataset) -> None:
    found = set(shared_table(tiny)["protocol"].to_pylist())
    assert found == {"full", "sampled"}


def test_data_without_test_requests_has_an_empty_table(tiny: Dataset) -> None:
    assert shared_table(replace(tiny, evaluation={})).schema.names == COLUMNS
    assert len(shared_table(replace(tiny, evaluation={}))) == 0


def _outcome(task: Task, protocol: str, greater: list[int], top: list[list[int]]) -> Any:
    counts = SimpleNamespace(greater=np.array(greater), tied=np.zeros(len(greater), dtype=int))
    requests = np.arange(len(top)) + 5
    return SimpleNamespace(
        task=task, protocol=protocol, requests=requests, counts=counts, top=np.array(top)
    )


def test_blocks_are_in_one_order_whatever_order_was_asked() -> None:
    outcomes = [
        _outcome(Task.SEARCH, "sampled", [4], [[1]]),
        _outcome(Task.SEARCH, "full", [3], [[1]]),
        _outcome(Task.REC, "given", [2], [[1]]),
        _outcome(Task.REC, "full", [1], [[1]]),
    ]
    rows = counts_table(outcomes).to_pylist()
    assert [(r["task"], r["protocol"], r["greater"]) for r in rows] == [
        ("rec", "full", 1),
        ("rec", "given", 2),
        ("search", "full", 3),
        ("search", "sampled", 4),
    ]


def test_top_lists_have_a_row_for_each_item_that_was_produced() -> None:
    outcome = _outcome(Task.REC, "full", [0, 0, 0], [[7, 5, 9], [PAD] * 3, [4, PAD, PAD]])
    rows = top_table([outcome]).to_pylist()
    assert [(r["request"], r["rank"], r["item"]) for r in rows] == [
        (5, 1, 7),
        (5, 2, 5),
        (5, 3, 9),
        (7, 1, 4),
    ]

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.analysis.scores import SMALLEST_SLICE, by_request, metric_values, slices


def requests(**columns: list) -> pd.DataFrame:
    size = len(next(iter(columns.values())))
    usual = {"query_kind": [""] * size, "history": [5] * size, "item_events": [5] * size}
    return pd.DataFrame(usual | columns)


def members(frame: pd.DataFrame) -> dict[str, list[int]]:
    return {name: np.flatnonzero(rows).tolist() for name, rows in slices(frame)}


def test_a_slice_for_each_kind_of_query() -> None:
    found = members(requests(query_kind=["category"] * 30 + ["known-item"] * 25))
    assert found == {
        "query:category": list(range(30)),
        "query:known-item": list(range(30, 55)),
    }


def test_new_items_are_those_without_training_events() -> None:
    found = members(requests(item_events=[0] * 20 + [1] * 20))
    assert found["item:new"] == found["popularity:0"] == list(range(20))
    assert found["item:known"] == found["popularity:1-9"] == list(range(20, 40))


@pytest.mark.parametrize("size", [SMALLEST_SLICE - 1, SMALLEST_SLICE])
def test_a_slice_of_few_requests_is_left_out(size: int) -> None:
    found = members(requests(history=[0] * size + [300] * 100))
    assert ("history:0" in found) == (size == SMALLEST_SLICE)


def test_a_slice_that_holds_everything_is_no_slice() -> None:
    assert members(requests(query_kind=["given"] * 50)) == {}


def test_requests_that_no_easy_rule_answers_are_a_slice_where_the_data_tells_them() -> None:
    hard = [True] * 25 + [False] * 30
    assert members(requests(hard=hard))["hard"] == list(range(25))
    assert "hard" not in members(requests(history=[5] * 55))


ROWS = pd.DataFrame(
    {
        "request": [0, 0, 1, 2, 2, 2],
        "user": [7, 7, 8, 7, 7, 7],
        "query": [3, 3, 4, 3, 3, 3],
        "item": [1, 5, 5, 0, 1, 9],
        "gain": [1.0, 1.0, 1.0, 3.0, 1.0, 1.0],
        "greater": [0, 1, 4, 0, 9, 50],
        "tied": [0] * 6,
        "candidates": [100] * 6,
        "query_kind": ["given"] * 6,
        "history": [2, 2, 9, 4, 4, 4],
        "item_events": [0, 6, 6, 0, 0, 0],
    }
)
"""Three requests of which two have several relevant items."""


def test_a_request_counts_once_however_many_items_are_relevant() -> None:
    frame = by_request(ROWS)
    assert frame["request"].tolist() == [0, 1, 2]
    assert frame["user"].tolist() == [7, 8, 7]
    assert frame["history"].tolist() == [2, 9, 4]
    assert "item" not in frame


def test_a_request_is_one_for_known_items_if_any_of_its_relevant_items_is_known() -> None:
    assert by_request(ROWS)["item_events"].tolist() == [6, 6, 0]


def test_metrics_are_those_of_the_request_with_grades() -> None:
    second, fifth, tenth = (1 / np.log2(rank + 1) for rank in (2, 5, 10))
    ideal = 3 + second + 1 / np.log2(4)
    values = metric_values(ROWS, "ndcg@10", "hr@10", "recall@10")
    assert values["ndcg@10"] == pytest.approx([1, fifth, (3 + tenth) / ideal])
    assert values["hr@10"].tolist() == [1, 1, 1]
    assert values["recall@10"] == pytest.approx([1, 1, 2 / 3])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=300))
def test_ranges_share_no_request(lengths: list[int]) -> None:
    found = members(requests(history=lengths))
    rows = [row for name, part in found.items() if name.startswith("history") for row in part]
    assert len(rows) == len(set(rows))
    for name, part in found.items():
        low, _, high = name.partition(":")[2].rstrip("+").partition("-")
        inside = [int(low) <= lengths[row] <= (int(high) if high else 10**9) for row in part]
        assert all(inside) or name == "history:0"

"""Relevant items that stand in their request's own history."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.data.audit import audit
from benchmark.data.dataset import Dataset, EvaluationSet
from benchmark.data.describe import describe
from benchmark.data.load import load_dataset
from benchmark.data.repeats import in_history
from benchmark.data.requests import Task
from tests.data.conftest import MakeFolder

from .test_grades import Row, graded

REC = ("test", Task.REC)


def purchases() -> list[Row]:
    """Return three users' pages of two items each; the last page repeats some of them.

    u0 takes two known items, u1 a known one and a new one, u2 two new ones.
    """
    last = {"u0": ("i0", "i3"), "u1": ("i1", "i20"), "u2": ("i21", "i22")}
    rows: list[Row] = []
    for user, again in last.items():
        for t in range(3):
            rows += [(user, f"i{2 * t + k}", t, "", f"s{t}", 1) for k in range(2)]
        rows += [(user, item, 3, "", "s3", 1 + k) for k, item in enumerate(again)]
        rows += [(user, f"i{30 + k}", 3, "", "s3", 0) for k in range(4)]
    return rows


def load(make_folder: MakeFolder, seen: str) -> Dataset:
    return load_dataset(graded(make_folder, purchases()), seen=seen)


def items_of(dataset: Dataset, asked: EvaluationSet) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for request, item in zip(asked.relevant.request, asked.relevant.item, strict=True):
        found.setdefault(int(asked.requests.user[request]), []).append(dataset.items.ids[item])
    return found


def test_exclude_takes_repeats_out_of_requests_and_lists_and_counts_them(
    make_folder: MakeFolder,
) -> None:
    dataset = load(make_folder, "exclude")
    asked = dataset.evaluation[REC]
    assert items_of(dataset, asked) == {1: ["i20"], 2: ["i21", "i22"]}
    assert asked.requests.user.tolist() == [1, 2], "u0 has nothing else to be asked for"
    assert (asked.repeated.targets, asked.repeated.requests) == (3, 1)
    offsets, seen = asked.requests.seen()
    for lists in asked.lists.values():
        for i in range(len(asked)):
            line = lists.at(np.array([i])).items
            mine = asked.relevant.item[asked.relevant.request == i]
            assert set(mine.tolist()) <= set(line.tolist())
            assert not set(line.tolist()) & set(seen[offsets[i] : offsets[i + 1]].tolist())
    numbers = describe(dataset)["requests"]["test"]["rec"]
    assert (numbers["requests"], numbers["relevant"]) == (2, 3)
    assert (numbers["repeated_targets"], numbers["not_asked"]) == (3, 1)
    assert audit(dataset).ok


def test_keep_asks_for_repeats_like_for_anything_else(make_folder: MakeFolder) -> None:
    dataset = load(make_folder, "keep")
    asked = dataset.evaluation[REC]
    assert items_of(dataset, asked) == {
        0: ["i0", "i3"], 1: ["i1", "i20"], 2: ["i21", "i22"]
    }  # fmt: skip
    assert (asked.repeated.targets, asked.repeated.requests) == (0, 0)
    numbers = describe(dataset)["requests"]["test"]["rec"]
    assert (numbers["repeated_targets"], numbers["not_asked"]) == (3, 0)
    again = in_history(asked)
    assert again.tolist() == [True, True, True, False, False, False]
    assert audit(dataset).ok


def test_a_task_that_only_repeats_is_not_asked_at_all(make_folder: MakeFolder) -> None:
    rows = [("u", f"i{t % 2}", t) for t in range(8)]
    rows += [("v", f"i{t}", t) for t in range(8)]
    rows = [row for row in rows if row[0] == "u" or row[2] < 2]
    folder = make_folder(rows)
    assert REC not in load_dataset(folder).evaluation
    assert len(load_dataset(folder, seen="keep").evaluation[REC]) == 1


@pytest.mark.parametrize("seen", ["exclude", "keep"])
def test_a_repeated_search_is_asked_either_way(make_folder: MakeFolder, seen: str) -> None:
    rows = [("u", f"i{t % 3}", t, "q") for t in range(6)]
    rows += [("v", f"i{t}", t, "q") for t in range(2)]
    dataset = load_dataset(make_folder(rows, None, [("q", "words")]), seen=seen)
    asked = dataset.evaluation["test", Task.SEARCH]
    assert dataset.items.ids[asked.relevant.item[0]] == "i2"
    assert asked.repeated.requests == 0

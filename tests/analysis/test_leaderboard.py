from __future__ import annotations

import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmark.analysis.leaderboard import boards
from benchmark.analysis.run_groups import RunGroup, labelled
from benchmark.report.json import to_document
from benchmark.report.markdown import to_markdown
from benchmark.results.record import RunRecord
from benchmark.statistics.multiple import holm
from benchmark.statistics.paired import by_unit
from benchmark.statistics.randomisation import randomisation_test
from tests.analysis.boards import ndcg, only, table
from tests.report import study
from tests.report.study import FULL, SAMPLED, SEARCH
from tests.results.records import record

USERS = 12
SECOND = 1 / np.log2(3)
"""NDCG of a target at rank 2."""


@pytest.fixture
def runs(tmp_path: Path) -> list[RunRecord]:
    first = [0] * USERS
    return [
        record(tmp_path, "good", {FULL: first, SAMPLED: first}, seed=1),
        record(tmp_path, "good", {FULL: first, SAMPLED: first}, seed=2),
        record(tmp_path, "good", {FULL: [0] * 6 + [1] * 6, SAMPLED: first}, seed=3),
        record(tmp_path, "near", {FULL: [0] * 11 + [1], SAMPLED: first}),
        record(tmp_path, "poor", {FULL: [9] * USERS}, parameters=0),
    ]


def test_the_document_holds_what_the_runs_say(runs: list[RunRecord]) -> None:
    document = to_document(boards(runs))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["dataset"] == "toy"
    tables = {(t["task"], t["protocol"], t["metric"]): t for t in document["tables"]}
    metrics = ("ndcg@10", "hr@10", "mrr@10")
    assert set(tables) == {(*which, m) for which in (FULL, SAMPLED) for m in metrics}
    assert all(t["slice"] == "all" for t in document["tables"])

    full = tables["rec", "full", "ndcg@10"]
    rows = {row["model"]: row for row in full["rows"]}
    assert list(rows) == ["near", "good", "poor"]
    means = [1, 1, (6 + 6 * SECOND) / 12]
    assert rows["near"]["mean"] == pytest.approx((11 + SECOND) / 12)
    assert rows["good"]["mean"] == pytest.approx(np.mean(means))
    assert rows["good"]["sd"] == pytest.approx(np.std(means, ddof=1))
    assert [row["seeds"] for row in full["rows"]] == [1, 3, 1]
    assert [row["requests"] for row in full["rows"]] == [USERS] * 3
    pairs = {(pair["a"], pair["b"]): pair for pair in full["pairs"]}
    assert list(pairs) == [("near", "good"), ("near", "poor"), ("good", "poor")]
    counts = {key: (p["win"], p["tie"], p["loss"]) for key, p in pairs.items()}
    assert counts["near", "good"] == (5, 6, 1)
    assert counts["near", "poor"] == counts["good", "poor"] == (12, 0, 0)
    for (a, b), pair in pairs.items():
        assert pair["difference"] == pytest.approx(rows[a]["mean"] - rows[b]["mean"])
        assert pair["low"] < pair["difference"] < pair["high"]
    near, good = pairs["near", "poor"], pairs["good", "poor"]
    assert near["effect_low"] < near["effect"] < near["effect_high"]
    assert good["effect"] is not None


def test_a_table_counts_requests_not_relevant_items(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, name, {FULL: ranks}, requests=[0, 0, 1, 2], users=[5, 5, 6])
        for name, ranks in (("a", [0, 1, 0, 0]), ("b", [0, 1, 3, 0]))
    ]
    shown = table(only(runs), FULL)
    assert [row.requests for row in shown.rows] == [3, 3]
    assert [row.mean for row in shown.rows] == pytest.approx([1, (2 + 1 / np.log2(5)) / 3])
    (pair,) = shown.pairs
    assert (pair.win, pair.tie, pair.loss) == (1, 2, 0)


def test_each_run_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tables, trade-offs and ablations ask for it."""
    read: list[Path] = []
    whole = RunRecord.requests

    def counted(run: RunRecord) -> pd.DataFrame:
        read.append(run.folder)
        return whole(run)

    monkeypatch.setattr(RunRecord, "requests", counted)
    runs = study.write(tmp_path)
    board = only(runs)
    assert board.tradeoff and board.ablations and board.changed and len(board.tables) > 9
    assert sorted(read) == sorted(run.folder for run in runs)


def test_a_board_says_what_was_not_asked_and_who_made_it(tmp_path: Path) -> None:
    repeated = {"rec": {"targets": 12, "requests": 5}, "search": {"targets": 0, "requests": 0}}
    runs = [
        record(tmp_path, "a", {FULL: [0, 1]}, harness="1", code="1", repeated=repeated),
        record(tmp_path, "b", {FULL: [0, 1]}, harness="1", code="2", repeated=repeated),
        record(tmp_path, "c", {FULL: [0, 1]}, harness="2", code="3", repeated=repeated),
    ]
    runs.append(
        record(tmp_path, "c", {FULL: [0, 1]}, harness="2", code="4", seed=2, repeated=repeated)
    )
    text = to_markdown([only(runs)])
    assert "Runs of several versions of the model's code: c." in text
    assert "recommendation: 12 relevant items taken out, 5 requests not asked" in text
    assert "search: 0" not in text
    assert "Versions of the harness that asked the runs: 2." in text
    assert "Versions of the harness" not in to_markdown([only(runs[:2])])


def test_an_incomplete_row_is_null_and_last(runs: list[RunRecord]) -> None:
    rows = table(only(runs), SAMPLED).rows
    poor = rows[-1]
    assert poor.entry.label == "poor"
    assert poor.mean is poor.sd is poor.tier is poor.requests is None
    assert all(row.mean is not None for row in rows[:-1])


def test_a_seed_without_the_protocol_gives_null_and_no_partial_mean(tmp_path: Path) -> None:
    ranks = [0] * USERS
    runs = [
        record(tmp_path, "m", {FULL: ranks, SAMPLED: ranks}, seed=1),
        record(tmp_path, "m", {FULL: ranks}, seed=2),
    ]
    board = only(runs)
    (row,) = table(board, SAMPLED).rows
    assert (row.mean, row.seeds) == (None, 1)
    (row,) = table(board, FULL).rows
    assert (row.mean, row.seeds) == (1.0, 2)
    assert "n/a" in to_markdown([board])


def test_a_model_of_one_task_is_not_missing_in_the_other(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, "rec-only", {FULL: [0] * USERS}),
        record(tmp_path, "joint", {FULL: [1] * USERS, SEARCH: [1] * USERS}),
    ]
    assert [r.entry.label for r in table(only(runs), SEARCH).rows] == ["joint"]


_RANKS = st.lists(st.integers(0, 15), min_size=6, max_size=6)


@settings(max_examples=15, deadline=None)
@given(
    ranks=st.dictionaries(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), _RANKS, min_size=1),
    shuffle=st.randoms(use_true_random=False),
)
def test_order_of_the_records_is_irrelevant_and_both_formats_agree(
    tmp_path_factory: pytest.TempPathFactory,
    ranks: dict[tuple[str, int], list[int]],
    shuffle: random.Random,
) -> None:
    folder = tmp_path_factory.mktemp("results")
    runs = [
        record(folder, model, {FULL: ranks_}, [0, 0, 1, 2, 3, 4], seed=seed)
        for (model, seed), ranks_ in ranks.items()
    ]
    text, document = to_markdown(boards(runs)), to_document(boards(runs))
    shuffle.shuffle(runs)
    assert to_markdown(boards(runs)) == text
    assert to_document(boards(runs)) == document
    ndcg, hr, mrr = document["tables"]
    tables = (ndcg, hr, mrr)
    found = [{row["model"]: row for row in table["rows"]} for table in tables]
    shown = [_cells(line) for line in text.splitlines() if re.match(r"\| (\*|[abc])", line)]
    assert len(shown) == len(ndcg["rows"]) == len({model for model, _ in ranks})
    for cells, row in zip(shown, ndcg["rows"], strict=True):
        mark = " ‡" if row["borrowed"] else " †"
        name, few = row["model"], mark if row["seeds"] < 3 else ""
        spread = "" if row["sd"] is None else f" ± {row['sd']:.4f}"
        assert cells[0] == _bold(f"{name}{few}", row["top"])
        for place, rows in enumerate(found):
            mean = f"{rows[name]['mean']:.4f}{'' if place else spread}"
            assert cells[1 + place] == f"{_bold(mean, rows[name]['top'])} {rows[name]['tier']}"
        ends = dict.fromkeys((row["rank_low"], row["rank_high"]))
        assert cells[4] == " to ".join(map(str, ends))
        assert cells[5] == str(row["seeds"])


def _bold(text: str, really: bool) -> str:
    return f"**{text}**" if really else text


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@settings(max_examples=15, deadline=None)
@given(st.lists(_RANKS, min_size=2, max_size=4))
@example([[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1]])
def test_marks_follow_the_randomisation_test_and_holm(
    tmp_path_factory: pytest.TempPathFactory, ranks: list[list[int]]
) -> None:
    users = np.array([0, 0, 1, 2, 3, 4])
    folder = tmp_path_factory.mktemp("results")
    runs = [record(folder, f"m{i}", {FULL: r}, users.tolist()) for i, r in enumerate(ranks)]
    shown = table(only(runs), FULL)
    gains = {f"m{i}": ndcg(np.array(r)) for i, r in enumerate(ranks)}
    names = sorted(gains, key=lambda name: (-gains[name].mean(), name))
    assert [row.entry.label for row in shown.rows] == names
    pairs = list(itertools.combinations(names, 2))
    assert [(pair.a, pair.b) for pair in shown.pairs] == pairs
    p_values = [randomisation_test(by_unit(gains[a] - gains[b], users)) for a, b in pairs]
    assert [pair.p for pair in shown.pairs] == p_values
    adjusted = dict(zip(pairs, holm(p_values), strict=True))
    assert [pair.p_holm for pair in shown.pairs] == list(adjusted.values())
    tiers = {row.entry.label: set(row.tier or "") for row in shown.rows}
    for (a, b), p in adjusted.items():
        assert bool(tiers[a] & tiers[b]) == (p >= 0.05)
    tops = [True, *(adjusted[names[0], name] >= 0.05 for name in names[1:])]
    assert [row.top for row in shown.rows] == tops


def test_holm_can_take_a_mark_away(tmp_path: Path) -> None:
    best, worse = [0] * 6, [3] * 6
    one = [
        record(tmp_path / "one", "a", {FULL: best}),
        record(tmp_path / "one", "b", {FULL: worse}),
    ]
    assert [r.tier for r in table(only(one), FULL).rows] == ["a", "b"]
    many = [record(tmp_path / "two", "a", {FULL: best})]
    many += [record(tmp_path / "two", name, {FULL: worse}) for name in "bcd"]
    shown = table(only(many), FULL)
    assert {pair.p for pair in shown.pairs if pair.a == "a"} == {2 / 2**6}
    assert [r.tier for r in shown.rows] == ["a"] * 4


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "zoo"},
        {"dataset_digest": "e" * 64, "seen": "keep"},
        {"dataset_digest": "f" * 64, "leakage": "paper"},
        {"candidates_digest": "e" * 64},
    ],
    ids=lambda change: str(list(change)[-1]),
)
def test_runs_on_other_data_are_not_mixed(tmp_path: Path, change: dict[str, Any]) -> None:
    runs = [
        record(tmp_path, "a", {FULL: [0] * USERS}),
        record(tmp_path, "b", {FULL: [1] * USERS}, **change),
    ]
    found = boards(runs)
    assert [[r.entry.label for r in table(b, FULL).rows] for b in found] == [["a"], ["b"]]
    assert all(str(value)[:12] in to_markdown(found[1:]) for value in change.values())
    assert not any(str(value)[:12] in to_markdown(found[:1]) for value in change.values())


def test_the_json_tables_name_their_data(tmp_path: Path) -> None:
    changes = [{}, {"candidates_digest": "e" * 64}, {"dataset_digest": "e" * 64, "seen": "keep"}]
    runs = [record(tmp_path, f"m{i}", {FULL: [0]}, **c) for i, c in enumerate(changes)]
    tables = to_document(boards(runs))["tables"]
    names = {(t["digest"], t["candidates"], t["seen"]): t["rows"][0]["model"] for t in tables}
    assert names == {
        (run.info["dataset_digest"], run.info["candidates_digest"], run.info["seen"]): f"m{i}"
        for i, run in enumerate(runs)
    }


def test_runs_of_older_code_give_way(tmp_path: Path) -> None:
    later = "2024-02-01T00:00:00+00:00"
    old = record(tmp_path, "m", {FULL: [0] * USERS}, code="1" * 64)
    new = record(tmp_path, "m", {FULL: [1] * USERS}, code="2" * 64, finished=later)
    board = only([old, new])
    (row,) = table(board, FULL).rows
    assert row.mean == pytest.approx(SECOND)
    assert board.superseded == 1


def test_a_later_run_by_one_protocol_hides_no_other(tmp_path: Path) -> None:
    later = "2024-02-01T00:00:00+00:00"
    both = record(tmp_path, "m", {FULL: [0] * USERS, SAMPLED: [0] * USERS})
    one = record(tmp_path, "m", {FULL: [1] * USERS}, finished=later)
    board = only([both, one])
    assert table(board, FULL).rows[0].mean == pytest.approx(SECOND)
    assert table(board, SAMPLED).rows[0].mean == 1.0
    assert board.superseded == 0


_VALUE = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.0, 1.0, 0.5])
_KEY = st.tuples(
    st.sampled_from(["m", "n"]),
    st.sampled_from(["quick", "standard"]),
    st.dictionaries(st.sampled_from("abc"), _VALUE).map(lambda d: json.dumps(d, sort_keys=True)),
    st.sampled_from([("rec",), ("search",), ("rec", "search")]),
    st.sampled_from([0, 20]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_KEY, unique=True, min_size=1, max_size=8))
def test_different_requests_have_different_names(keys: list[tuple[Any, ...]]) -> None:
    groups = [
        RunGroup(model, model, preset, settings, tasks, {}, trials, None, {}, {})
        for model, preset, settings, tasks, trials in keys
    ]
    named = labelled(groups)
    assert len({group.label for group in named}) == len(keys)
    assert all(group.label.startswith(group.model) for group in named)


def test_a_row_is_named_by_what_sets_it_apart(tmp_path: Path) -> None:
    ranks = [0] * USERS
    runs = [
        record(tmp_path, "m", {FULL: ranks}, settings={"size": 8, "learning_rate": 0.1}),
        record(tmp_path, "m", {FULL: ranks}, settings={"size": 16, "learning_rate": 0.1}),
        record(tmp_path, "n", {FULL: ranks}, settings={"size": 8}),
    ]
    labels = [row.entry.label for row in table(only(runs), FULL).rows]
    assert labels == ["m (size=16)", "m (size=8)", "n"]


@pytest.mark.parametrize(
    ("candidates", "words"),
    [([100, 100], "target among 99 others"), ([4, 7], "target among 3 to 6 others")],
)
def test_a_table_says_how_many_candidates_there_were(
    tmp_path: Path, candidates: list[int], words: str
) -> None:
    run = record(tmp_path, "m", {SAMPLED: [0, 1]}, candidates_of=candidates)
    assert f"### Recommendation, {words} (2 requests)" in to_markdown([only([run])])


def test_no_runs_make_an_empty_leaderboard() -> None:
    assert to_markdown([]) == "No runs yet.\n"
    assert to_document([])["dataset"] is None
    assert to_document([])["tables"] == []

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

from benchmark.analysis.leaderboard import Leaderboard, Table, boards
from benchmark.analysis.run_groups import RunGroup, labelled
from benchmark.report.html import to_html
from benchmark.report.json import to_document
from benchmark.report.markdown import to_markdown
from benchmark.results.record import RunRecord
from benchmark.results.scan import scan_runs
from benchmark.statistics.multiple import holm
from benchmark.statistics.paired import by_unit, mean_interval
from benchmark.statistics.randomisation import randomisation_test
from benchmark.statistics.recipes import Recipe, compare_recipes
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


def table(board: Leaderboard, which: tuple[str, str], metric: str = "ndcg@10") -> Table:
    return next(t for t in board.tables if (t.task, t.protocol, t.metric) == (*which, metric))


def only(records: list[RunRecord]) -> Leaderboard:
    (board,) = boards(records)
    return board


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


def test_letters_ranks_and_p_values_are_those_of_the_recipes(tmp_path: Path) -> None:
    """The board says what the library says of the same scores, requests summed by user."""
    rng = np.random.default_rng(0)
    users = np.arange(60) // 2
    above = {
        (name, seed): np.minimum(rng.geometric(1 / (typical + 1), 60) - 1, 99).tolist()
        for name, typical in (("a", 1), ("b", 2), ("c", 12))
        for seed in ((1, 2, 3) if name != "b" else (1,))
    }
    runs = [
        record(tmp_path, name, {FULL: ranks}, users.tolist(), seed=seed)
        for (name, seed), ranks in above.items()
    ]
    shown = table(only(runs), FULL)
    scores = {
        name: np.stack([_ndcg(np.array(r)) for (n, _), r in above.items() if n == name])
        for name in "abc"
    }
    names = sorted("abc", key=lambda name: -scores[name].mean())
    tiers = compare_recipes([Recipe(name, by_unit(scores[name], users)) for name in names])
    assert [row.entry.label for row in shown.rows] == names
    for what, values in (
        ("tier", tiers.letters),
        ("rank_low", tiers.rank_low),
        ("rank_high", tiers.rank_high),
        ("borrowed", [name == "b" for name in names]),
    ):
        assert [getattr(row, what) for row in shown.rows] == values
    assert [(p.p, p.p_holm, p.equivalence) for p in shown.pairs] == [
        (p.p, p.p_corrected, p.verdict) for p in tiers.pairs
    ]
    assert shown.question == "recipes"
    assert shown.rows[-1].entry.label == "c" and not shown.rows[-1].top


def test_what_trainings_differ_by_counts(tmp_path: Path) -> None:
    """A difference that every request shows is none of recipes if seeds differ by more than it."""
    calm = {"a": ([0] * 30, [0] * 30, [0] * 30), "b": ([2] * 30, [2] * 30, [2] * 29 + [3])}
    wild = {"a": ([0] * 30, [0] * 30, [9] * 30), "b": ([2] * 30, [2] * 30, [2] * 29 + [3])}
    tops = []
    for number, trainings in enumerate((calm, wild)):
        runs = [
            record(tmp_path / str(number), name, {FULL: ranks}, seed=seed)
            for name, by_seed in trainings.items()
            for seed, ranks in enumerate(by_seed, 1)
        ]
        tops.append([row.top for row in table(only(runs), FULL).rows])
    assert tops == [[True, False], [True, True]]


def test_intervals_of_means_hold_other_trainings(tmp_path: Path) -> None:
    """Two models alike in their mean by request; the one whose trainings scatter is less sure."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 9, 60)
    runs = [record(tmp_path, "calm", {FULL: first.tolist()}, seed=seed) for seed in (1, 2, 3)]
    runs += [
        record(tmp_path, "wild", {FULL: np.maximum(first + moved, 0).tolist()}, seed=seed)
        for seed, moved in enumerate((-3, 0, 3), 1)
    ]
    rows = {row.entry.label: row for row in table(only(runs), FULL).rows}
    calm, wild = rows["calm"], rows["wild"]
    units = _ndcg(first)
    low, high = mean_interval(units)
    assert (calm.low, calm.high) == pytest.approx((low, high))
    assert wild.high - wild.low > 1.5 * (high - low)


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


def test_what_nobody_can_know_is_null_not_infinite(tmp_path: Path) -> None:
    """One request, and noise borrowed from two trainings that hardly differ."""
    one = boards([record(tmp_path / "one", name, {FULL: [n]}) for n, name in enumerate("ab")])
    asked = {("a", 1): [0, 10, 0, 0], ("b", 1): [0] * 4, ("b", 2): [0, 0, 0, 2]}
    few = boards(
        [record(tmp_path / "few", n, {FULL: ranks}, seed=s) for (n, s), ranks in asked.items()]
    )
    for made in (one, few):
        assert json.dumps(to_document(made), allow_nan=False)
        assert "inf" not in to_markdown(made) and "nan" not in to_html(made)


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


def test_one_seed_is_marked_as_borrowing(tmp_path: Path) -> None:
    ranks = [[0, 1, 2] * 10, [0, 1, 1] * 10, [0, 0, 2] * 10]
    runs = [record(tmp_path, "a", {FULL: r}, seed=s) for s, r in enumerate(ranks, 1)]
    runs.append(record(tmp_path, "b", {FULL: [1, 2, 3] * 10}))
    text = to_markdown([only(runs)])
    assert "| b ‡" in text.replace("*", "")
    assert "‡ one seed" in text
    assert "(1 model)" in text
    alone = to_markdown([only([*runs[3:], record(tmp_path, "c", {FULL: [1] * 30})])])
    assert "| b †" in alone.replace("*", "")
    assert "‡" not in alone
    assert "letters speak of other requests only" in alone


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
    gains = {f"m{i}": _ndcg(np.array(r)) for i, r in enumerate(ranks)}
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


def _ndcg(above: np.ndarray) -> np.ndarray:
    return np.where(above < 10, 1 / np.log2(above + 2.0), 0.0)


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


def test_intervals_stay_where_a_metric_can_be(tmp_path: Path) -> None:
    answers = {1: [0] + [90] * 11, 2: [90] * 12, 3: [0, 0, 0] + [90] * 9}
    for seed, above in answers.items():
        record(tmp_path, "low", {FULL: above}, seed=seed)
        record(tmp_path, "high", {FULL: [90 - n if n else 0 for n in above]}, seed=seed)
    (board,) = boards(scan_runs(tmp_path, pytest.fail))
    known = [row for table in board.tables for row in table.rows if row.low is not None]
    assert known
    assert all(0 <= row.low <= row.mean <= row.high <= 1 for row in known)
    assert any(row.low == 0 for row in known)


@pytest.mark.parametrize("others", [1, 2, 5, 7])
def test_what_answers_the_same_in_every_training_is_no_different_from_one_training(
    tmp_path: Path, others: int
) -> None:
    ranks = [0, 1, 2, 4, 6, 7, 9, 2, 5] * 5
    runs = [record(tmp_path, "once", {FULL: ranks}, seed=1)]
    runs += [record(tmp_path, "often", {FULL: ranks}, seed=seed) for seed in range(1, others + 1)]
    runs += [record(tmp_path, "far", {FULL: [8] * 45}, seed=seed) for seed in (1, 2)]
    board = only(runs)
    for metric in ("ndcg@10", "hr@10", "mrr@10"):
        (found,) = (t for t in board.tables if (t.slice, t.metric) == ("all", metric))
        once, often = (next(r for r in found.rows if r.entry.label == n) for n in ("once", "often"))
        assert (once.mean, once.tier) == (often.mean, often.tier)
        (pair,) = (p for p in found.pairs if {p.a, p.b} == {"once", "often"})
        assert (pair.difference, pair.p, pair.win, pair.loss) == (0, 1, 0, 0)


def test_one_run_is_enough_of_what_uses_no_seed(tmp_path: Path) -> None:
    """It ties and differs as if it had been run as often as the others, and is not marked."""
    ranks = [[0, 1, 2] * 10, [0, 1, 1] * 10, [0, 0, 2] * 10]
    trained = [record(tmp_path, "a", {FULL: r}, seed=s) for s, r in enumerate(ranks, 1)]
    counts = [1, 2, 2] * 10
    once = [record(tmp_path, "b", {FULL: counts}, uses_seed=False)]
    often = [
        record(tmp_path / "often", "b", {FULL: counts}, seed=s, uses_seed=False) for s in (1, 2, 3)
    ]
    unsaid = [record(tmp_path / "unsaid", "b", {FULL: counts})]
    boards = [only([*trained, *runs]) for runs in (once, often, unsaid)]
    by_one, by_three, borrowed = (table(board, FULL) for board in boards)
    assert by_one.pairs[0].p == by_three.pairs[0].p < borrowed.pairs[0].p
    assert [row.tier for row in by_one.rows] == [row.tier for row in by_three.rows]
    assert not any(row.borrowed for row in by_one.rows)
    text = to_markdown([boards[0]])
    assert "‡" not in text and "†" not in text and " any |" in text
    assert "3 seeds" in text

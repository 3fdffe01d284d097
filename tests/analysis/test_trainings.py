"""What several trainings of a model, or only one, make of its intervals, letters and marks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmark.analysis.leaderboard import boards
from benchmark.report.html import to_html
from benchmark.report.json import to_document
from benchmark.report.markdown import to_markdown
from benchmark.results.scan import scan_runs
from benchmark.statistics.paired import by_unit, mean_interval
from benchmark.statistics.recipes import Recipe, compare_recipes
from tests.analysis.boards import ndcg, only, table
from tests.report.study import FULL
from tests.results.records import record


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
        name: np.stack([ndcg(np.array(r)) for (n, _), r in above.items() if n == name])
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
    units = ndcg(first)
    low, high = mean_interval(units)
    assert (calm.low, calm.high) == pytest.approx((low, high))
    assert wild.high - wild.low > 1.5 * (high - low)


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
        order = [row.entry.label for row in found.rows if row.entry.label != "far"]
        assert order == ["often", "once"]  # by name, as nothing else tells them apart


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

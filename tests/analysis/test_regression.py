from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.analysis.regression import check
from benchmark.results.record import RunRecord
from tests.report.study import BOTH, FULL, SAMPLED, SEARCH
from tests.results.records import record

RNG = np.random.default_rng(0)
GOOD = RNG.geometric(0.2, 1000) - 1
"""Candidates above each target."""


def shuffled(above: np.ndarray, share: float) -> list[int]:
    """Give a share of the answers the rank that chance gives among 100."""
    rng = np.random.default_rng(1)
    return np.where(
        rng.random(len(above)) < share, rng.integers(0, 100, len(above)), above
    ).tolist()


def run(folder: Path, above: Any = GOOD, **changes: Any) -> RunRecord:
    return record(folder, "m", {FULL: list(above), SEARCH: list(above)}, **changes)


def test_an_equal_run_passes(tmp_path: Path) -> None:
    outcome = check([run(tmp_path / "a")], [run(tmp_path / "b", code="1" * 64)])
    assert outcome.passed
    assert len(outcome.checked) == 6
    assert {each.test.difference for each in outcome.checked} == {0.0}


def test_a_run_with_some_answers_shuffled_fails(tmp_path: Path) -> None:
    outcome = check([run(tmp_path / "a")], [run(tmp_path / "b", shuffled(GOOD, 0.05))])
    assert not outcome.passed
    assert outcome.problems == ()
    ndcg = next(each for each in outcome.checked if each.metric == "ndcg@10")
    assert not ndcg.test.passed
    assert 0 < ndcg.test.detectable < ndcg.baseline - ndcg.fresh


def test_a_better_run_and_a_drop_within_the_margin_pass(tmp_path: Path) -> None:
    worse = run(tmp_path / "b", shuffled(GOOD, 0.05))
    assert check([worse], [run(tmp_path / "a")]).passed
    assert check([run(tmp_path / "a")], [worse], margin=0.2).passed


def test_a_drop_within_noise_passes(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    moved = np.maximum(GOOD + rng.integers(-1, 2, len(GOOD)), 0)
    base = np.maximum(GOOD + rng.integers(-1, 2, len(GOOD)), 0)
    runs = [run(tmp_path / "a", base), run(tmp_path / "b", moved)]
    means = [check([a], [b]).checked[0].test.difference for a, b in (runs, runs[::-1])]
    assert min(means) < 0
    assert check([runs[0]], [runs[1]]).passed
    assert check([runs[1]], [runs[0]]).passed


def test_runs_that_differ_in_their_seed_are_checked_together(tmp_path: Path) -> None:
    """One seed fell, another rose as much: trained elsewhere, not worse."""
    worse = shuffled(GOOD, 0.05)
    before = [run(tmp_path / "a", above, seed=i) for i, above in enumerate((GOOD, worse, GOOD), 1)]
    after = [run(tmp_path / "b", above, seed=i) for i, above in enumerate((worse, GOOD, GOOD), 1)]
    outcome = check(before, after)
    assert outcome.passed
    assert len(outcome.checked) == 6
    assert "seeds 1, 2, 3" in outcome.checked[0].run
    assert not check(before[:1], after[:1]).passed
    (problem,) = check(before, after[:2]).problems
    assert "seed 3" in problem and "no such run" in problem


def test_seeds_that_were_asked_by_other_protocols_or_data_are_checked_apart(tmp_path: Path) -> None:
    both = record(tmp_path, "m", {FULL: [0] * 9, SAMPLED: [0] * 9}, seed=1)
    one = record(tmp_path, "m", {FULL: [0] * 9}, seed=2)
    other = record(tmp_path, "m", {FULL: [0] * 5}, seed=3, dataset_digest="e" * 64)
    runs = [both, one, other]
    outcome = check(runs, runs)
    assert outcome.passed
    assert len({each.run for each in outcome.checked}) == 3


@pytest.mark.parametrize("name", ["dataset_digest", "candidates_digest"])
def test_other_data_or_candidates_fail(tmp_path: Path, name: str) -> None:
    outcome = check([run(tmp_path / "a")], [run(tmp_path / "b", **{name: "e" * 64})])
    assert not outcome.passed
    assert name in outcome.problems[0]


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"preset": "quick"}, {"changed": {"width": 8}}, {"seen": "keep"}],
    ids=lambda change: str(*change),
)
def test_a_missing_run_fails(tmp_path: Path, change: dict[str, Any]) -> None:
    outcome = check([run(tmp_path / "a")], [run(tmp_path / "b", **change)])
    assert not outcome.passed
    assert "no such run" in outcome.problems[0]


def test_a_protocol_that_was_not_asked_fails(tmp_path: Path) -> None:
    both = record(tmp_path / "a", "m", {FULL: [0] * 9, SAMPLED: [0] * 9}, tasks=BOTH)
    one = record(tmp_path / "b", "m", {FULL: [0] * 9}, tasks=BOTH)
    (problem,) = check([both], [one]).problems
    assert "rec sampled" in problem


def test_the_newest_run_counts_whatever_its_defaults(tmp_path: Path) -> None:
    old = run(tmp_path / "b", code="1" * 64)
    new = run(
        tmp_path / "b",
        shuffled(GOOD, 0.5),
        finished="2024-03-01T00:00:00+00:00",
        settings={"width": 9},
    )
    for order in ([old, new], [new, old]):
        assert not check([run(tmp_path / "a")], order).passed


def test_requests_with_several_relevant_items_count_once_each(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"requests": [0, 0, 1, 2], "users": [5, 5, 6]}
    before = record(tmp_path / "a", "m", {FULL: [0, 1, 0, 0]}, **asked)
    after = record(tmp_path / "b", "m", {FULL: [0, 50, 0, 0]}, **asked)
    ndcg = check([before], [after]).checked[0]
    lost = (1 / np.log2(3)) / (1 + 1 / np.log2(3))
    assert (ndcg.baseline, ndcg.fresh) == pytest.approx((1, 1 - lost / 3))


def test_of_two_versions_of_a_baseline_the_newest_counts_once(tmp_path: Path) -> None:
    older = run(tmp_path / "a", code="0" * 64, run="old")
    newer = run(tmp_path / "a", code="1" * 64, run="new", finished="2024-02-01T00:00:00+00:00")
    outcome = check([older, newer], [run(tmp_path / "b", code="2" * 64)])
    assert outcome.passed
    assert all("seed 1," in each.run for each in outcome.checked), outcome.checked[0].run

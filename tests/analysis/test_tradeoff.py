from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.analysis.leaderboard import Leaderboard, boards
from benchmark.report.json import to_document
from benchmark.report.notes import notes
from benchmark.statistics.paired import by_unit
from tests.report.study import BOTH, FULL, SEARCH, ranks, write
from tests.results.records import record

SAME = [3] * 40


def gains(above: list[int]) -> np.ndarray:
    return np.array([1 / np.log2(a + 2) if a < 10 else 0.0 for a in above])


def board(runs: list) -> Leaderboard:
    (found,) = boards(runs)
    return found


@pytest.fixture
def study(tmp_path: Path) -> Leaderboard:
    return board(write(tmp_path))


def test_a_joint_model_is_held_against_itself_trained_for_one_task(study: Leaderboard) -> None:
    (found,) = study.tradeoff
    assert found.label == "twin (joint)"
    joint = {
        "rec": np.mean([gains(ranks(seed, 3)) for seed in (1, 2, 3)], axis=0),
        "search": np.mean([gains(ranks(20 + seed, 1)) for seed in (1, 2, 3)], axis=0),
    }
    alone = {"rec": gains(ranks(1, 2)), "search": gains(ranks(2, 2))}
    for task, change in (("rec", found.rec), ("search", found.search)):
        ratio = joint[task].mean() / alone[task].mean() - 1
        assert (change.reference, change.value, change.change) == pytest.approx(
            (alone[task].mean(), joint[task].mean(), ratio)
        )
        assert change.low < ratio < change.high
        # Alone it was trained once: the spread of the joint trainings stands in.
        assert (change.seeds, change.borrowed, change.question) == (1, True, "recipes")
    means = [joint[task].mean() for task in BOTH]
    assert found.harmonic == pytest.approx(2 / sum(1 / mean for mean in means))


def test_holm_corrects_over_the_whole_table(study: Leaderboard) -> None:
    (found,) = study.tradeoff
    smaller, larger = sorted([found.rec, found.search], key=lambda change: change.p)
    assert smaller.p_holm == 2 * smaller.p
    assert larger.p_holm == max(larger.p, smaller.p_holm)


def test_a_task_that_was_not_trained_alone_has_no_change(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, "m", {FULL: SAME, SEARCH: SAME}, tasks=BOTH),
        record(tmp_path, "m", {FULL: SAME}, tasks=["rec"]),
    ]
    (found,) = board(runs).tradeoff
    assert (found.rec.change, found.rec.low, found.rec.high, found.rec.p) == (0.0, 0.0, 0.0, 1.0)
    assert found.search.reference is found.search.change is found.search.p is None
    assert found.search.value == pytest.approx(gains(SAME).mean())
    (written,) = to_document([board(runs)])["tradeoff"]
    assert (written["search"]["single"], written["search"]["joint"]) == (None, found.search.value)


def test_a_reference_of_nothing_gives_no_ratio(tmp_path: Path) -> None:
    runs = [
        record(tmp_path, "m", {FULL: SAME, SEARCH: SAME}, tasks=BOTH),
        record(tmp_path, "m", {FULL: [50] * 40}, tasks=["rec"]),
    ]
    (found,) = board(runs).tradeoff
    assert (found.rec.reference, found.rec.change) == (0.0, None)


def trained(results: Path, moves: dict[str, list[float]]) -> Leaderboard:
    """Write models of one task and of both, whose mean moves by so much in each training."""
    runs = []
    for name, shifts in moves.items():
        tasks = BOTH if name == "joint" else [name]
        for seed, shift in enumerate(shifts, 1):
            above = [int(a) for a in np.clip(np.array(ranks(5, 4)) + shift, 0, 99)]
            asked = {{"rec": FULL, "search": SEARCH}[task]: above for task in tasks}
            runs.append(record(results, "m", asked, tasks=tasks, seed=seed))
    return board(runs)


def test_trainings_that_scatter_widen_the_interval(tmp_path: Path) -> None:
    """The same means, but the joint model's trainings lie far apart: less is sure."""
    alone = {"rec": [0, 0, 0], "search": [0, 0, 0]}
    (calm,) = trained(tmp_path / "calm", {"joint": [1, 1, 1], **alone}).tradeoff
    (wild,) = trained(tmp_path / "wild", {"joint": [0, 3, 1], **alone}).tradeoff
    assert calm.rec.p < 0.001 < wild.rec.p
    assert calm.rec.high < 0
    assert wild.rec.high - wild.rec.low > 3 * (calm.rec.high - calm.rec.low)


def test_users_are_paired(tmp_path: Path) -> None:
    """Users differ far more than the models do: only the differences by user count."""
    moves = {"joint": [0, 0, 0], "rec": [1, 1, 1], "search": [1, 1, 1]}
    (found,) = trained(tmp_path, moves).tradeoff
    units = by_unit(gains(ranks(5, 4)), np.arange(60))
    unpaired = units.std(ddof=1) / np.sqrt(60) / units.mean()
    assert found.rec.high - found.rec.low < 2 * 1.96 * unpaired


def test_trainings_are_shown_beside_those_of_their_own_seed(tmp_path: Path) -> None:
    """Alone it was trained with seeds 1, 2 and 4, for both with 2, 3 and 4."""
    places = {1: [9] * 40, 2: [1] * 40, 3: [8] * 40, 4: [2] * 40}
    runs = [
        record(tmp_path, "m", {FULL: places[seed]}, tasks=["rec"], seed=seed) for seed in (1, 2, 4)
    ]
    runs += [
        record(tmp_path, "m", {FULL: SAME, SEARCH: SAME}, tasks=BOTH, seed=seed)
        for seed in (2, 3, 4)
    ]
    (found,) = board(runs).tradeoff
    own = [gains(SAME).mean() / gains(places[seed]).mean() - 1 for seed in (2, 4)]
    assert found.rec.by_seed == pytest.approx(own)


def test_the_interval_is_that_of_the_logarithm_of_the_ratio(tmp_path: Path) -> None:
    """By the delta method: swapping the models turns the interval of the ratio upside down."""
    moves = {"joint": [0, 1, 2], "rec": [1, 2, 3], "search": [1, 2, 3]}
    turned = {"joint": [1, 2, 3], "rec": [0, 1, 2], "search": [0, 1, 2]}
    (found,) = trained(tmp_path / "a", moves).tradeoff
    (swapped,) = trained(tmp_path / "b", turned).tradeoff
    assert 1 + found.rec.low == pytest.approx(1 / (1 + swapped.rec.high))
    assert 1 + found.rec.high == pytest.approx(1 / (1 + swapped.rec.low))
    assert found.rec.p == pytest.approx(swapped.rec.p)


def test_without_a_second_training_only_other_requests_are_spoken_of(tmp_path: Path) -> None:
    moves = {"joint": [0], "rec": [1], "search": [1]}
    made = trained(tmp_path, moves)
    (found,) = made.tradeoff
    assert (found.rec.question, found.rec.borrowed, found.rec.seeds) == ("requests", False, 1)
    assert any("over users only" in note for note in notes(made))

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.analysis.leaderboard import Leaderboard, boards
from benchmark.report.json import to_document
from benchmark.statistics.paired import by_unit
from benchmark.statistics.randomisation import randomisation_test
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
    users = np.arange(60) // 2
    for task, change in (("rec", found.rec), ("search", found.search)):
        ratio = joint[task].mean() / alone[task].mean() - 1
        assert (change.reference, change.value, change.change) == pytest.approx(
            (alone[task].mean(), joint[task].mean(), ratio)
        )
        assert change.low < ratio < change.high
        assert change.p == randomisation_test(by_unit(joint[task] - alone[task], users))
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

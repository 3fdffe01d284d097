from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmark.analysis.comparison import Comparison, compare
from benchmark.errors import InputError
from benchmark.statistics.paired import bootstrap_interval
from benchmark.statistics.randomisation import randomisation_test
from tests.report.study import FULL, SEARCH, ranks
from tests.results.records import record

USERS = [n // 2 for n in range(60)]
BEFORE, AFTER = ranks(1, 8), ranks(2, 2)


def gains(above: list[int]) -> np.ndarray:
    return np.array([1 / np.log2(a + 2) if a < 10 else 0.0 for a in above])


@pytest.fixture
def found(tmp_path: Path) -> Comparison:
    a = record(tmp_path, "a", {FULL: BEFORE, SEARCH: BEFORE}, USERS)
    b = record(tmp_path, "b", {FULL: AFTER}, USERS)
    (only,) = compare(a, b, ("ndcg@10",), examples=3)
    return only


def test_means_counts_and_tests_are_those_of_the_requests(found: Comparison) -> None:
    change = gains(AFTER) - gains(BEFORE)
    assert (found.task, found.protocol, found.metric) == ("rec", "full", "ndcg@10")
    assert (found.a, found.b) == pytest.approx((gains(BEFORE).mean(), gains(AFTER).mean()))
    assert found.difference == pytest.approx(change.mean())
    counted = [int((np.sign(change) == sign).sum()) for sign in (1, 0, -1)]
    assert [found.win, found.tie, found.loss] == counted
    assert (found.requests, found.users) == (60, 30)
    by_user = change.reshape(30, 2).sum(axis=1)
    assert found.p["t"] == pytest.approx(stats.ttest_1samp(by_user, 0).pvalue, abs=1e-12)
    assert found.p["wilcoxon"] == pytest.approx(stats.wilcoxon(by_user).pvalue, abs=1e-12)
    assert found.p["randomisation"] == randomisation_test(by_user / 2)
    low, high = stats.t.interval(0.95, 29, by_user.mean(), stats.sem(by_user))
    assert found.interval == pytest.approx((low / 2, high / 2))
    assert found.bootstrap == bootstrap_interval(by_user / 2)


def test_both_intervals_are_of_paired_differences(tmp_path: Path) -> None:
    """Requests differ far more than the runs do: whoever took the runs apart would be unsure."""
    better = [max(above - 1, 0) for above in BEFORE]
    a = record(tmp_path, "a", {FULL: BEFORE}, USERS)
    b = record(tmp_path, "b", {FULL: better}, USERS)
    (found,) = compare(a, b, ("ndcg@10",))
    runs = [gains(above).reshape(30, 2).mean(axis=1) for above in (BEFORE, better)]
    apart = np.sqrt(sum(run.var(ddof=1) / 30 for run in runs))
    for low, high in (found.interval, found.bootstrap):
        assert low < found.difference < high
        assert high - low < apart < found.difference * 4


def test_examples_are_the_largest_changes_in_each_direction(found: Comparison) -> None:
    change = gains(AFTER) - gains(BEFORE)
    assert len(found.gains) == len(found.losses) == 3
    assert [change[e.request] for e in found.gains] == sorted(change)[::-1][:3]
    assert [change[e.request] for e in found.losses] == sorted(change)[:3]
    for example in (*found.gains, *found.losses):
        expected = BEFORE[example.request] + 1, AFTER[example.request] + 1
        assert (example.rank_a, example.rank_b) == expected
        assert example.user == USERS[example.request]


def test_a_run_against_itself_has_no_examples(tmp_path: Path) -> None:
    run = record(tmp_path, "a", {FULL: BEFORE})
    (found,) = compare(run, run, ("hr@10",))
    assert found.gains == found.losses == ()
    assert (found.difference, found.tie, found.detectable) == (0.0, 60, 0.0)
    assert set(found.p.values()) == {1.0}


@pytest.mark.parametrize("name", ["dataset", "dataset_digest", "candidates_digest"])
def test_runs_on_other_data_are_refused(tmp_path: Path, name: str) -> None:
    a = record(tmp_path, "a", {FULL: BEFORE})
    b = record(tmp_path, "b", {FULL: AFTER}, **{name: "other"})
    with pytest.raises(InputError, match=name):
        compare(a, b, ("ndcg@10",))


def test_runs_with_other_requests_or_nothing_in_common_are_refused(tmp_path: Path) -> None:
    a = record(tmp_path, "a", {FULL: BEFORE})
    with pytest.raises(InputError, match="shares no task"):
        compare(a, record(tmp_path, "b", {SEARCH: AFTER}), ("ndcg@10",))
    with pytest.raises(InputError, match="other requests"):
        compare(a, record(tmp_path, "c", {FULL: AFTER[:50]}), ("ndcg@10",))


def test_requests_with_several_relevant_items_are_compared_once_each(tmp_path: Path) -> None:
    """An example names the relevant item whose place moved most the way that the metric did."""
    requests = [0, 0, 1, 2, 2, 2]
    asked = {"requests": requests, "gains": [1, 1, 1, 3, 1, 1], "users": [7, 8, 9]}
    a = record(tmp_path, "a", {FULL: [0, 40, 3, 9, 0, 1]}, **asked)
    b = record(tmp_path, "b", {FULL: [0, 2, 3, 9, 40, 1]}, **asked)
    (found,) = compare(a, b, ("ndcg@10",))
    assert (found.requests, found.users) == (3, 3)
    assert (found.win, found.tie, found.loss) == (1, 1, 1)
    (gain,), (loss,) = found.gains, found.losses
    assert (gain.request, gain.user, gain.item) == (0, 7, 1)
    assert (gain.rank_a, gain.rank_b) == (41, 3)
    assert (loss.request, loss.user, loss.item) == (2, 9, 4)
    assert (loss.rank_a, loss.rank_b) == (1, 41)

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.evaluation.metrics import METRICS, compute


@given(greater=st.integers(0, 30), tied=st.integers(0, 30), name=st.sampled_from(sorted(METRICS)))
def test_ties_give_the_mean_over_all_ranks_they_allow(greater: int, tied: int, name: str) -> None:
    metric = METRICS[name]
    ranks = np.arange(greater + 1, greater + tied + 2, dtype=float)
    values = np.where(ranks <= metric.cutoff, metric.gain(ranks), 0.0)
    found = metric.values(np.array([greater]), np.array([tied]))[0]
    assert found == pytest.approx(values.mean(), abs=1e-12)


def test_a_constant_model_is_as_good_as_chance() -> None:
    found = compute(np.array([0]), np.array([99]))
    assert found["hr@10"][0] == pytest.approx(0.1, abs=1e-12)
    expected = (1 / np.log2(np.arange(2, 12))).sum() / 100
    assert found["ndcg@10"][0] == pytest.approx(expected, abs=1e-12)


def test_values_lie_between_zero_and_one_and_fall_with_the_rank() -> None:
    greater = np.arange(200)
    for values in compute(greater, np.zeros_like(greater)).values():
        assert (values >= 0).all() and (values <= 1).all()
        assert (np.diff(values) <= 0).all()


def _qrels_and_run(scores: np.ndarray, target: np.ndarray) -> tuple[list, list]:
    qrels = [ir_measures.Qrel(str(q), str(t), 1) for q, t in enumerate(target)]
    run = [
        ir_measures.ScoredDoc(str(q), str(d), float(s))
        for q, row in enumerate(scores)
        for d, s in enumerate(row)
    ]
    return qrels, run


def test_without_ties_the_values_are_trec_evals() -> None:
    rng = np.random.default_rng(3)
    scores = rng.permuted(np.tile(np.arange(60.0), (150, 1)), axis=1)
    target = rng.integers(0, 60, 150)
    own = scores[np.arange(150), target][:, None]
    found = compute((scores > own).sum(axis=1), np.zeros(150, dtype=int))
    qrels, run = _qrels_and_run(scores, target)
    for k in (1, 5, 10, 20):
        pairs = {
            f"ndcg@{k}": ir_measures.nDCG @ k,
            f"recall@{k}": ir_measures.R @ k,
            f"hr@{k}": ir_measures.Success @ k,
            f"mrr@{k}": ir_measures.RR @ k,
        }
        for name, measure in pairs.items():
            theirs = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, run)}
            expected = [theirs[str(q)] for q in range(150)]
            np.testing.assert_allclose(found[name], expected, atol=1e-12, rtol=0)

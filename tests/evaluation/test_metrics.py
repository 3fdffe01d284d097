from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, permutations

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import InputError
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import (
    FAMILIES,
    METRICS,
    TopLists,
    compute,
    describe_lists,
    parse,
)

THEIRS = {
    "ndcg": ir_measures.nDCG,
    "recall": ir_measures.R,
    "hr": ir_measures.Success,
    "mrr": ir_measures.RR,
    "map": ir_measures.AP,
}
Case = tuple[list[float], dict[int, float]]
"""Scores of the candidates, and the grades of the relevant ones by column; a column beyond the
candidates is a relevant item that cannot be produced."""


def _counts(cases: Sequence[Case]) -> Counts:
    rows = []
    for request, (scores, grades) in enumerate(cases):
        for column, grade in sorted(grades.items()):
            if column < len(scores):
                greater = sum(s > scores[column] for s in scores)
                tied = scores.count(scores[column]) - 1
            else:
                greater, tied = len(scores), 0
            rows.append((request, grade, greater, tied, len(scores)))
    names = ("request", "gain", "greater", "tied", "candidates")
    return Counts.of_table(dict(zip(names, zip(*rows, strict=True), strict=True)))


@st.composite
def _cases(draw: st.DrawFn, most: int, ties: bool) -> Case:
    size = draw(st.integers(1, most))
    if ties:
        scores = draw(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=size, max_size=size))
    else:
        scores = [float(s) for s in draw(st.permutations(range(size)))]
    columns = st.integers(0, size + 1)
    grades = draw(st.dictionaries(columns, st.integers(1, 4), min_size=1, max_size=size + 2))
    return scores, {column: float(grade) for column, grade in grades.items()}


def _trec_eval(cases: Sequence[Case], names: Sequence[str]) -> dict[str, list[float]]:
    qrels = [
        ir_measures.Qrel(str(q), str(column), int(grade))
        for q, (_, grades) in enumerate(cases)
        for column, grade in grades.items()
    ]
    run = [
        ir_measures.ScoredDoc(str(q), str(column), score)
        for q, (scores, _) in enumerate(cases)
        for column, score in enumerate(scores)
    ]
    measures = {THEIRS[n.split("@")[0]] @ int(n.split("@")[1]): n for n in names}
    values: dict[str, list[float]] = {name: [0.0] * len(cases) for name in names}
    for value in ir_measures.iter_calc(list(measures), qrels, run):
        values[measures[value.measure]][int(value.query_id)] = value.value
    return values


@settings(max_examples=500, deadline=None)
@given(case=_cases(30, ties=False), cutoff=st.integers(1, 32))
def test_without_ties_the_values_are_trec_evals(case: Case, cutoff: int) -> None:
    names = [f"{name}@{k}" for name in THEIRS for k in {1, 5, 10, 20, cutoff}]
    ours, theirs = compute(_counts([case]), names), _trec_eval([case], names)
    for name in names:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-12, rtol=0, err_msg=name)


@settings(max_examples=500, deadline=None)
@given(case=_cases(7, ties=True), cutoff=st.integers(1, 7))
def test_ties_give_the_mean_over_all_orders(case: Case, cutoff: int) -> None:
    """Each order of the candidates is one of distinct scores, whose values are trec_eval's."""
    scores, grades = case
    size = len(scores)
    best_first = [
        order
        for order in permutations(range(size))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]
    untied: list[Case] = []
    for order in best_first:
        places = {column: float(size - place) for place, column in enumerate(order)}
        untied.append(([places[column] for column in range(size)], grades))
    names = [f"{family}@{cutoff}" for family in (*THEIRS, "expndcg")]
    ours, ordered = compute(_counts([case]), names), compute(_counts(untied), names)
    for name in names:
        assert ours[name][0] == pytest.approx(ordered[name].mean(), abs=1e-12), name


def test_many_requests_at_once_are_many_requests_alone() -> None:
    rng = np.random.default_rng(0)
    cases: list[Case] = []
    for _ in range(300):
        size = int(rng.integers(1, 40))
        scores = rng.integers(0, 6, size).astype(float).tolist()
        columns = rng.choice(size + 2, int(rng.integers(1, size + 2)), replace=False).tolist()
        cases.append((scores, {c: float(rng.integers(1, 4)) for c in columns}))
    together = compute(_counts(cases))
    alone = [compute(_counts([case])) for case in cases]
    for name, values in together.items():
        np.testing.assert_allclose(values, [each[name][0] for each in alone], atol=1e-15)
        assert (values >= 0).all()
        assert (values <= 1).all()


def test_real_size_without_ties_is_trec_evals() -> None:
    rng = np.random.default_rng(3)
    cases: list[Case] = []
    for _ in range(100):
        relevant = rng.choice(300, int(rng.integers(1, 30)), replace=False).tolist()
        grades = {column: float(rng.integers(1, 5)) for column in relevant}
        cases.append((rng.permutation(300).astype(float).tolist(), grades))
    ours, theirs = compute(_counts(cases)), _trec_eval(cases, list(METRICS))
    for name in METRICS:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-12, rtol=0, err_msg=name)


@pytest.mark.parametrize("relevant", [1, 3])
def test_a_constant_model_is_as_good_as_chance(relevant: int) -> None:
    """Chance: the mean over many random orders of 100 candidates, and exact values of one item."""
    rng = np.random.default_rng(1)
    grades = dict.fromkeys(range(relevant), 1.0)
    found = compute(_counts([([0.0] * 100, grades)]))
    orders: list[Case] = [
        (row, grades)
        for row in rng.permuted(np.tile(np.arange(100.0), (20_000, 1)), axis=1).tolist()
    ]
    for name, values in compute(_counts(orders)).items():
        error = values.std() / np.sqrt(len(values))
        assert abs(found[name][0] - values.mean()) < 4.5 * error
    assert found["recall@10"][0] == pytest.approx(0.1, abs=1e-12)
    if relevant == 1:
        assert found["hr@10"][0] == pytest.approx(0.1, abs=1e-12)
        expected = (1 / np.log2(np.arange(2, 12))).sum() / 100
        assert found["ndcg@10"][0] == pytest.approx(expected, abs=1e-12)
        assert found["mrr@10"][0] == pytest.approx((1 / np.arange(1, 11)).sum() / 100, abs=1e-12)


def test_a_perfect_order_is_worth_one_and_what_is_never_produced_is_missed() -> None:
    perfect: Case = ([5.0, 4.0, 3.0, 2.0, 1.0], {0: 3.0, 1: 2.0, 2: 1.0})
    beyond: Case = ([5.0, 4.0], {0: 1.0, 7: 1.0, 8: 2.0})
    never: Case = ([1.0], {4: 1.0})
    values = compute(_counts([perfect, beyond, never]))
    for family in FAMILIES:
        assert parse(f"{family.name}@5").values(_counts([perfect]))[0] == 1.0
    assert values["recall@10"][1] == values["map@10"][1] == pytest.approx(1 / 3)
    assert values["ndcg@10"][1] == pytest.approx(1 / (2 + 1 / np.log2(3) + 0.5))
    assert all(column[2] == 0 for column in values.values())


def test_an_item_of_grade_0_is_not_relevant() -> None:
    judged, plain = ([3.0, 2.0, 1.0], {0: 0.0, 1: 1.0}), ([3.0, 2.0, 1.0], {1: 1.0})
    for name, values in compute(_counts([judged, plain])).items():
        assert values[0] == values[1], name


def test_exponential_gain_weighs_grades_more() -> None:
    counts = _counts([([2.0, 1.0], {0: 1.0, 1: 3.0})])
    linear = (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3))
    exponential = (1 + 7 / np.log2(3)) / (7 + 1 / np.log2(3))
    assert compute(counts, ["nDCG@2"])["nDCG@2"][0] == pytest.approx(linear)
    assert parse("nDCG(dcg='exp-log2')@2").values(counts)[0] == pytest.approx(exponential)
    large = replace(counts, gain=counts.gain + 2000)
    assert 0 < parse("expndcg@2").values(large)[0] <= 1


@pytest.mark.parametrize("measure", THEIRS.values(), ids=THEIRS)
@pytest.mark.parametrize("cutoff", [1, 7, 100])
def test_names_are_read_as_ir_measures_writes_them(measure: object, cutoff: int) -> None:
    written = str(measure @ cutoff)  # type: ignore[operator]
    metric = parse(written)
    assert metric.title == written
    assert parse(metric.name) == metric
    assert metric.cutoff == cutoff


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndgc@10", "unknown metric 'ndgc@10'; did you mean 'n"),
        ("Sucess@5", "did you mean 'Success'"),
        ("nDCG", "needs a cutoff of at least 1, as in 'nDCG@10'"),
        ("AP@0", "needs a cutoff"),
        ("AP@ten", "needs a cutoff"),
        ("", "unknown metric"),
    ],
)
def test_a_wrong_name_is_an_error_with_its_mend(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(name)


def test_requests_of_a_table_are_numbered_anew() -> None:
    columns = {"request": [4, 4, 9], "gain": [1, 1, 1], "greater": [0, 1, 2], "tied": [0, 0, 0]}
    counts = Counts.of_table({**columns, "candidates": [5, 5, 5]})
    np.testing.assert_array_equal(counts.request, [0, 0, 1])
    assert counts.requests == 2


def test_lists_are_described_as_a_plain_loop_does() -> None:
    items = np.array([[0, 1, -1], [0, 2, 3], [0, 1, 2]], dtype=np.int32)
    events = np.array([9, 5, 1, 0, 7])
    found = describe_lists(TopLists(items, events))
    assert found["coverage@10"] == 4 / 5
    assert found["popularity@10"] == (9 * 3 + 5 * 2 + 1 * 2 + 0) / 8
    exposure = [3, 2, 2, 1, 0]
    pairs = sum(abs(a - b) for a in exposure for b in exposure)
    assert found["gini@10"] == pytest.approx(pairs / (2 * 5 * sum(exposure)))


def test_gini_is_0_where_all_is_shown_alike_and_near_1_where_one_item_is() -> None:
    even = describe_lists(TopLists(np.arange(10, dtype=np.int32)[:, None], np.ones(10)))
    single = describe_lists(TopLists(np.zeros((10, 1), dtype=np.int32), np.ones(10)))
    nothing = describe_lists(TopLists(np.full((10, 1), -1, dtype=np.int32), np.ones(10)))
    assert (even["gini@10"], single["gini@10"]) == (0.0, pytest.approx(0.9))
    assert nothing == {"coverage@10": 0.0, "popularity@10": 0.0, "gini@10": 0.0}

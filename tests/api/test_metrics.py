"""Metrics of anybody's answers, against ir_measures and against each other."""

from __future__ import annotations

import ir_measures
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchmark as sr
from benchmark.errors import InputError

NAMES = {
    "ndcg@5": "nDCG@5",
    "recall@3": "R@3",
    "mrr@10": "RR@10",
    "map@10": "AP@10",
    "hr@2": "Success@2",
}

queries = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3"]),
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), min_size=1),
    min_size=1,
)


@st.composite
def runs(draw: st.DrawFn) -> dict[str, dict[str, float]]:
    """Return answers without ties, as trec_eval breaks ties by the documents' names."""
    asked = draw(st.sets(st.sampled_from(["q1", "q2", "q3", "q4"])))
    documents = {query: draw(st.permutations("abcdefghij")) for query in sorted(asked)}
    sizes = {query: draw(st.integers(1, 10)) for query in documents}
    return {
        q: {d: 10.0 - i for i, d in enumerate(docs[: sizes[q]])} for q, docs in documents.items()
    }


@settings(max_examples=60, deadline=None)
@given(queries, runs())
def test_values_are_those_of_ir_measures(
    qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]
) -> None:
    asked = {q: docs for q, docs in qrels.items() if any(docs.values())}
    if not asked:
        with pytest.raises(InputError, match="nothing is relevant"):
            sr.metrics.evaluate(qrels, run)
        return
    ours = sr.metrics.evaluate(qrels, run, list(NAMES))
    measures = {name: ir_measures.parse_measure(theirs) for name, theirs in NAMES.items()}
    theirs = ir_measures.calc_aggregate(measures.values(), asked, run)
    for name, measure in measures.items():
        assert ours[name] == pytest.approx(theirs[measure]), name


def test_ties_count_in_expectation_over_all_orders() -> None:
    qrels, run = {"q": {"a": 1}}, {"q": dict.fromkeys("abcd", 1.0)}
    assert sr.metrics.evaluate(qrels, run, "hr@1") == pytest.approx(1 / 4)
    orders = [1 / np.log2(place + 2) for place in range(4)]
    assert sr.metrics.evaluate(qrels, run, "ndcg@4") == pytest.approx(np.mean(orders))


def test_tables_and_dictionaries_say_the_same_by_query() -> None:
    qrels = {"q2": {"a": 1, "b": 2}, "q1": {"c": 1}}
    run = {"q1": {"c": 0.1, "a": 0.2}, "q2": {"b": 3.0}}
    rows = [(q, d, n) for q, docs in qrels.items() for d, n in docs.items()]
    found = [(q, d, n) for q, docs in run.items() for d, n in docs.items()]
    tables = (
        pd.DataFrame(rows, columns=["query_id", "doc_id", "relevance"]),
        pd.DataFrame(found, columns=["query_id", "doc_id", "score"]),
    )
    by_query = sr.metrics.evaluate(*tables, ["mrr@10", "recall@10"], by_query=True)
    assert by_query.index.tolist() == ["q1", "q2"]
    assert by_query["mrr@10"].tolist() == [0.5, 1.0]
    assert by_query["recall@10"].tolist() == [1.0, 0.5]
    means = sr.metrics.evaluate(qrels, run, ["mrr@10", "recall@10"])
    assert means == by_query.mean().to_dict()


@pytest.mark.parametrize(
    ("qrels", "run", "message"),
    [
        ({"q": {"a": 1}}, {"q": {"a": float("nan")}}, "run: document 'a' of query 'q'.*finite"),
        ({"q": {"a": "much"}}, {"q": {"a": 1.0}}, "qrels: document 'a'.*finite"),
        ({"q": {"a": 0}}, {"q": {"a": 1.0}}, "nothing is relevant"),
        (pd.DataFrame({"q": ["q"]}), {"q": {"a": 1.0}}, "no column 'query_id'"),
        (
            pd.DataFrame({"query_id": [1, 1], "doc_id": [2, 2], "relevance": [1, 1]}),
            {},
            "document '2' of query '1': stands there twice",
        ),
    ],
)
def test_what_is_wrong_is_told(
    qrels: sr.metrics.Judged, run: sr.metrics.Judged, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        sr.metrics.evaluate(qrels, run)


def test_an_unknown_metric_is_told() -> None:
    with pytest.raises(InputError, match="ndgc@10"):
        sr.metrics.evaluate({"q": {"a": 1}}, {"q": {"a": 1.0}}, "ndgc@10")

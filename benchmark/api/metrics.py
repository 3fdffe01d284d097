"""Metrics of anybody's answers: judgements and scores by query, no data set and no model.

Ties count in expectation over all orders of the tied documents, and what was not retrieved is never
found; so without ties the values are those of trec_eval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, overload

import numpy as np
import pandas as pd

from benchmark.analysis.scores import SHOWN
from benchmark.errors import InputError
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import compute

__all__ = ["Judged", "evaluate"]

Judged = pd.DataFrame | Mapping[str, Mapping[str, float]]
"""Numbers by query and document: ``{query: {document: number}}``, or a table with the columns
``query_id`` and ``doc_id``, and ``relevance`` or ``score`` as ir_measures names them."""


@overload
def evaluate(  # type: ignore[overload-overlap]
    qrels: Judged, run: Judged, metrics: str, *, by_query: Literal[False] = False
) -> float: ...
@overload
def evaluate(
    qrels: Judged, run: Judged, metrics: Sequence[str] = SHOWN, *, by_query: Literal[False] = False
) -> dict[str, float]: ...
@overload
def evaluate(
    qrels: Judged, run: Judged, metrics: str | Sequence[str] = SHOWN, *, by_query: Literal[True]
) -> pd.DataFrame: ...
def evaluate(
    qrels: Judged,
    run: Judged,
    metrics: str | Sequence[str] = SHOWN,
    *,
    by_query: bool = False,
) -> float | dict[str, float] | pd.DataFrame:
    """Compute metrics of answers to queries.

    Args:
        qrels: how relevant a document is to a query; above 0 it is. Queries to which none is are
            not asked.
        run: the score of each document that was retrieved for a query, higher is better. A query
            without any has the value 0; queries that were not judged are left out.
        metrics: names such as ``ndcg@10``, those of ir_measures too; see ``list metrics``.
        by_query: whether to return the values of each query, and not their means.

    Returns:
        The mean of the only metric named as a text, the means by name, or a table with a row for
        each query, in the order of the names of the queries.

    Raises:
        InputError: a metric is unknown, nothing is relevant, a column is missing, a document stands
            twice in a query, or a number is none, or infinite.

    >>> evaluate({"q": {"a": 1, "b": 1}}, {"q": {"a": 2.0, "c": 1.0}}, "recall@10")
    0.5
    >>> evaluate({"q": {"a": 1}}, {"q": {"a": 1.0, "b": 1.0}}, ["hr@1", "mrr@10"])
    {'hr@1': 0.5, 'mrr@10': 0.75}
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    relevant = _table(qrels, "relevance", "qrels")
    relevant = relevant[relevant["relevance"] > 0].sort_values(["query_id", "doc_id"])
    if relevant.empty:
        raise InputError("qrels: nothing is relevant")
    values = compute(_counts(relevant, _table(run, "score", "run")), names)
    frame = pd.DataFrame(values, index=pd.Index(relevant["query_id"].unique(), name="query_id"))
    if by_query:
        return frame
    means = {name: float(frame[name].mean()) for name in names}
    return means[names[0]] if isinstance(metrics, str) else means


def _counts(relevant: pd.DataFrame, run: pd.DataFrame) -> Counts:
    """Return the place of each relevant document among those retrieved for its query."""
    by_query, by_score = run.groupby("query_id")["score"], run.groupby(["query_id", "score"])
    run = run.assign(
        greater=by_query.rank(method="min", ascending=False) - 1,
        tied=by_score["score"].transform("size") - 1,
    )
    found = relevant.merge(run, on=["query_id", "doc_id"], how="left")
    sizes = found["query_id"].map(by_query.size()).fillna(0)
    # What was not retrieved stands among the candidates of its query, and cannot be produced.
    lost = found["score"].isna()
    missing = lost.groupby(found["query_id"]).transform("sum")
    candidates = sizes + missing
    return Counts.of_table(
        {
            "request": pd.factorize(found["query_id"])[0],
            "gain": found["relevance"],
            "greater": found["greater"].where(~lost, candidates),
            "tied": found["tied"].where(~lost, 0),
            "candidates": candidates,
        }
    )


def _of_dictionary(given: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> pd.DataFrame:
    rows = [(query, doc, number) for query, docs in given.items() for doc, number in docs.items()]
    return pd.DataFrame(rows, columns=list(names))


def _table(given: Judged, value: str, what: str) -> pd.DataFrame:
    """Return the columns ``query_id``, ``doc_id`` and ``value``; ids are texts."""
    names = ["query_id", "doc_id", value]
    frame = given if isinstance(given, pd.DataFrame) else _of_dictionary(given, names)
    lacking = [name for name in names if name not in frame]
    if lacking:
        raise InputError(f"{what}: no column '{lacking[0]}' among {', '.join(map(str, frame))}")
    table = frame[names].astype({"query_id": str, "doc_id": str})
    numbers = pd.to_numeric(table[value], errors="coerce").to_numpy(dtype=np.float64)
    for wrong, why in (
        (~np.isfinite(numbers), f"its {value} is no finite number"),
        (table.duplicated(["query_id", "doc_id"]).to_numpy(), "stands there twice"),
    ):
        if wrong.any():
            query, doc = table.iloc[int(wrong.argmax())][["query_id", "doc_id"]]
            raise InputError(f"{what}: document '{doc}' of query '{query}': {why}")
    return table.assign(**{value: numbers})

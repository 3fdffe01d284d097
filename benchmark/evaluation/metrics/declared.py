"""All metrics that there are, by name, and how their names are read."""

from __future__ import annotations

import re

from benchmark.errors import InputError, did_you_mean
from benchmark.evaluation.metrics.coverage import COVERAGE
from benchmark.evaluation.metrics.expndcg import EXPNDCG
from benchmark.evaluation.metrics.family import Family, ListMetric, Metric
from benchmark.evaluation.metrics.gini import GINI
from benchmark.evaluation.metrics.hr import HR
from benchmark.evaluation.metrics.map import MAP
from benchmark.evaluation.metrics.mean_popularity import MEAN_POPULARITY
from benchmark.evaluation.metrics.mrr import MRR
from benchmark.evaluation.metrics.ndcg import NDCG
from benchmark.evaluation.metrics.recall import RECALL

__all__ = ["FAMILIES", "LIST_METRICS", "MAIN", "METRICS", "parse"]

FAMILIES: tuple[Family, ...] = (HR, RECALL, NDCG, MRR, MAP, EXPNDCG)
"""Metrics of ranks."""

LIST_METRICS: dict[str, ListMetric] = {m.name: m for m in (COVERAGE, MEAN_POPULARITY, GINI)}
"""Metrics of the lists of a run, in the order of ``run.json``."""

METRICS: dict[str, Metric] = {
    metric.name: metric for f in FAMILIES for k in f.cutoffs for metric in (Metric(f, k),)
}
"""The metrics that every run states, in the order of ``run.json``."""

MAIN = "ndcg@10"


def _plain(name: str) -> str:
    return re.sub(r"\s", "", name).replace('"', "'").lower()


_BY_NAME = {_plain(n): f for f in FAMILIES for n in (f.name, f.title, *f.aliases)}


def parse(name: str) -> Metric:
    """Return the metric of a name such as ``ndcg@10``, ``nDCG@10``, ``AP@10`` or ``Success@5``.

    Raises:
        InputError: no such metric, or no cutoff.
    """
    wanted, _, cutoff = name.strip().rpartition("@")
    family = _BY_NAME.get(_plain(wanted or cutoff))
    if family is None:
        known = [n for f in FAMILIES for n in (f.name, f.title)]
        hint = did_you_mean(wanted or cutoff, known)
        raise InputError(f"unknown metric '{name}'{hint}")
    if not wanted or not re.fullmatch(r"[1-9][0-9]{0,5}", cutoff):
        raise InputError(
            f"metric '{name}': needs a cutoff of at least 1, as in '{family.title}@10'"
        )
    return Metric(family, int(cutoff))

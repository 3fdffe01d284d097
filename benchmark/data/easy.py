"""How easy a data set is: what simple rules answer, and the requests that none of them answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset, EvaluationSet
from benchmark.data.easy_rules import EasyRules, Rule
from benchmark.data.repeats import repeated_share
from benchmark.data.requests import Task

__all__ = ["EasyTask", "SearchWords", "easy", "hard_requests"]

_REQUESTS = 4096
_SCORES = 2**20


@dataclass(frozen=True)
class SearchWords:
    """How far the words of searches alone lead; every number is a share from 0 to 1.

    Attributes:
        words_in_target: of a query's distinct words, those in the relevant item's text, on average
            over relevant items; stems, without stop words.
        all_words_in_target: relevant items whose text has all words of the query.
        queries_in_training: requests whose query has the text of a training search.
        pairs_in_training: requests of which a training search of the same text, whoever made it,
            led to a relevant item.
    """

    words_in_target: float
    all_words_in_target: float
    queries_in_training: float
    pairs_in_training: float


@dataclass(frozen=True)
class EasyTask:
    """How easy the test requests of a task are.

    Attributes:
        top_10: by rule, the share of requests that have a relevant item in its top 10.
        any_rule: the share that some rule answers.
        hard: the number that no rule answers.
        repeats: of the task's events in the whole log, the share whose user had the item at an
            earlier time, found in whichever way.
        words: of search only.
    """

    requests: int
    top_10: dict[str, float]
    any_rule: float
    hard: int
    repeats: float
    words: SearchWords | None

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers JSON-ready, without ``words`` where there are none."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def easy(dataset: Dataset) -> dict[str, EasyTask]:
    """Return, by task, how easy its test requests are.

    Rules count training events only and see the whole catalogue, without the items of the history
    where those are left out.
    """
    rules = EasyRules(dataset)
    return {
        str(task): _task(dataset, asked, rules)
        for part, task, asked in dataset.by_part()
        if part == "test"
    }


def hard_requests(
    asked: EvaluationSet, dataset: Dataset, rules: EasyRules | None = None
) -> NDArray[np.bool_]:
    """Return for which requests no rule has a relevant item in its top 10, ``[requests]``.

    Args:
        asked: requests of a task of the data set.
        dataset: the data set, whose training events are counted.
        rules: of the data set, for those who ask for several tasks.
    """
    own = (rules or EasyRules(dataset)).of(asked.requests.task)
    return ~np.any([_answers(rule, asked) for rule in own.values()], axis=0)


def _task(dataset: Dataset, asked: EvaluationSet, rules: EasyRules) -> EasyTask:
    task = asked.requests.task
    found = {name: _answers(rule, asked) for name, rule in rules.of(task).items()}
    answered = np.any(list(found.values()), axis=0)
    return EasyTask(
        requests=len(asked),
        top_10={name: float(which.mean()) for name, which in found.items()},
        any_rule=float(answered.mean()),
        hard=int((~answered).sum()),
        repeats=repeated_share(dataset.log, task, len(dataset.items)),
        words=_words(dataset, asked, rules) if task is Task.SEARCH else None,
    )


def _answers(rule: Rule, asked: EvaluationSet) -> NDArray[np.bool_]:
    """Ask a rule for as many requests at a time as it can score in bounded memory."""
    parts = [np.zeros(0, dtype=np.bool_)]
    for start in range(0, len(asked), _REQUESTS):
        some = asked.at(slice(start, start + _REQUESTS))
        parts += [rule.answers(some.at(rows)) for rows in _pieces(rule.effort(some.requests))]
    return np.concatenate(parts)


def _pieces(effort: NDArray[np.int64]) -> Iterator[slice]:
    """Cut requests into pieces of bounded effort; each has one at least."""
    ends, start = np.cumsum(effort), 0
    while start < len(ends):
        limit = _SCORES + (ends[start - 1] if start else 0)
        stop = max(start + 1, int(np.searchsorted(ends, limit, side="right")))
        yield slice(start, stop)
        start = stop


def _words(dataset: Dataset, asked: EvaluationSet, rules: EasyRules) -> SearchWords:
    queries = rules.words.of_queries(dataset.queries.texts)
    query, item = asked.requests.query[asked.relevant.request], asked.relevant.item
    asked_for = queries.counts[query] > 0
    common = asked_for.multiply(rules.words.counts[item] > 0).sum(axis=1)
    distinct = queries.distinct[query]
    clicked = rules.clicks.of(asked.requests)
    pairs = clicked[asked.relevant.request, item]
    return SearchWords(
        words_in_target=float((common / np.maximum(distinct, 1)).mean()),
        all_words_in_target=float(((common == distinct) & (distinct > 0)).mean()),
        queries_in_training=float((np.diff(clicked.indptr) > 0).mean()),
        pairs_in_training=len(np.unique(asked.relevant.request[pairs > 0])) / len(asked),
    )

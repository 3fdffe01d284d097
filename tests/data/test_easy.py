"""How easy data are: each rule against a slow reference that sorts what it would name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict
from math import log, log1p, sqrt
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.card import Card
from benchmark.data.dataset import Dataset, EvaluationSet
from benchmark.data.easy import easy, hard_requests
from benchmark.data.easy_rules import EasyRules, Steps
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from tests.data.conftest import MakeFolder

from .test_frozen_candidates import brute_bm25

VOCABULARY = ("red", "lamp", "chair", "blue", "desk", "oak", "glass")
"""Words that are their own stems."""

Scores = dict[int, float]
Ringed = list[tuple[Scores, int]]


def random_data(make_folder: MakeFolder, seed: int, seen: str) -> Dataset:
    """Load data with sessions, several clicks, repeats, and items without a text."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(25):
        for visit in range(int(rng.integers(1, 9))):
            for _ in range(int(rng.integers(1, 4))):
                item = int(40 * rng.random() ** 2)
                query = f"q{rng.integers(0, 8)}" if rng.random() < 0.5 else ""
                session = f"s{user}.{visit}" if query else ""
                rows.append((f"u{user}", f"i{item}", visit, query, session))
    words = [" ".join(rng.choice(VOCABULARY, rng.integers(0, 5))) for _ in range(40)]
    items = [(f"i{i}", text, "") for i, text in enumerate(words)]
    texts = ["red lamp", "blue", "unheard", "oak desk", "the", "glass chair", "red lamp", "desk"]
    queries = [(f"q{i}", text) for i, text in enumerate(texts)]
    columns = ("query_id:token", "session_id:token")
    folder = make_folder(rows, items, queries, name=f"data{seed}", columns=columns)
    return load_dataset(folder, seen=seen)  # type: ignore[arg-type]


class Reference:
    """The rules as their description has them, one request at a time."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        train = data.train.log
        self.popular = Counter(train.item.tolist())
        self.follows: dict[int, Counter[int]] = defaultdict(Counter)
        for row in range(len(train) - 1):
            if train.user[row] == train.user[row + 1]:
                self.follows[int(train.item[row])][int(train.item[row + 1])] += 1
        self.clicked: dict[str, Counter[int]] = defaultdict(Counter)
        for query, item in zip(train.query.tolist(), train.item.tolist(), strict=True):
            if query >= 0:
                self.clicked[data.queries.texts[query]][item] += 1
        self.docs = [text.split() for text in data.items.texts]

    def likeness(self, one: int, other: int) -> float:
        def vector(item: int) -> dict[str, float]:
            return {
                word: self.docs[item].count(word)
                * (log((1 + len(self.docs)) / (1 + sum(word in doc for doc in self.docs))) + 1)
                for word in set(self.docs[item])
            }

        def length(weights: dict[str, float]) -> float:
            return sqrt(sum(w * w for w in weights.values())) or 1.0

        a, b = vector(one), vector(other)
        return sum(a[w] * b[w] for w in a.keys() & b.keys()) / length(a) / length(b)

    def ring(self, source: int, counts: dict[int, int]) -> Scores:
        most = max(map(log1p, counts.values()), default=1.0)
        return {i: 0.5 * log1p(n) / most + self.likeness(source, i) for i, n in counts.items()}

    def rings(self, last: int | None) -> tuple[Counter[int], Counter[int]]:
        if last is None:
            return Counter(), Counter()
        one, two = self.follows[last], Counter[int]()
        for middle, n in one.items():
            for item, m in self.follows[middle].items():
                if item != last and item not in one:
                    two[item] += n * m
        return one, two

    def rules(self, asked: EvaluationSet, request: int) -> dict[str, Ringed]:
        single = asked.requests[request : request + 1]
        _, rows = single.history_rows()
        last = int(self.data.log.item[rows[-1]]) if len(rows) else None
        one, two = self.rings(last)
        rules: dict[str, Ringed] = {
            "popularity": [(dict(self.popular), 10)],
            "successors": [(dict(one), 10)],
            "one step": [(self.ring(last or 0, one), 10)],
            "two steps": [(self.ring(last or 0, one), 7), (self.ring(last or 0, two), 3)],
        }
        if asked.requests.task is Task.SEARCH:
            (text,) = single.query_texts()
            words = [word for word in text.split() if word != "the"]
            scores = brute_bm25(words, self.docs)
            rules["bm25"] = [({i: float(s) for i, s in enumerate(scores)}, 10)]
            rules["most clicked"] = [(dict(self.clicked[text]), 10)]
        return rules


def answered(rings: Ringed, relevant: set[int], hidden: set[int]) -> bool:
    """Return whether a relevant item is named though all ties are settled against it."""
    orders = []
    for scores, _ in rings:
        real = {i: round(s, 5) for i, s in scores.items() if s > 0 and i not in hidden}
        orders.append(sorted(real, key=lambda i: (-real[i], i in relevant)))
    free = 10 - sum(min(len(order), n) for order, (_, n) in zip(orders, rings, strict=True))
    named = [order[: n + free] for order, (_, n) in zip(orders, rings, strict=True)]
    return any(relevant & set(order) for order in named)


@pytest.mark.parametrize("seed", range(3))
def test_scores_around_an_item_are_likeness_and_counts(make_folder: MakeFolder, seed: int) -> None:
    data = random_data(make_folder, seed, "keep")
    reference, items = Reference(data), len(data.items)
    rule = EasyRules(data).of(Task.REC)["two steps"]
    assert isinstance(rule, Steps)
    source = np.array([-1, *range(items)])
    one, two = (ring.toarray() for ring in rule.scores(source))
    for row, item in enumerate(source.tolist()):
        near, far = reference.rings(item if item >= 0 else None)
        for scores, counts in ((one, near), (two, far)):
            wanted = np.zeros(items)
            for other, score in reference.ring(item, counts).items():
                wanted[other] = score
            np.testing.assert_allclose(scores[row], wanted, atol=1e-12)


@pytest.mark.parametrize("seen", ["exclude", "keep"])
@pytest.mark.parametrize("seed", range(6))
def test_rules_answer_what_a_slow_reference_answers(
    make_folder: MakeFolder, seed: int, seen: str
) -> None:
    data = random_data(make_folder, seed, seen)
    reference, report = Reference(data), easy(data)
    for task in Task:
        asked = data.evaluation["test", task]
        offsets, history = asked.requests.seen()
        wanted: dict[str, list[bool]] = defaultdict(list)
        for i in range(len(asked)):
            relevant = set(asked.relevant.item[asked.relevant.request == i].tolist())
            hidden = set(history[offsets[i] : offsets[i + 1]].tolist())
            if not asked.requests.exclude_seen:
                hidden = set()
            for name, rings in reference.rules(asked, i).items():
                wanted[name].append(answered(rings, relevant, hidden))
        rules = EasyRules(data).of(task)
        assert list(rules) == list(wanted)
        for name, rule in rules.items():
            assert rule.answers(asked).tolist() == wanted[name], name
            assert report[str(task)].top_10[name] == np.mean(wanted[name])
        none = [not any(which) for which in zip(*wanted.values(), strict=True)]
        assert hard_requests(asked, data).tolist() == none
        assert report[str(task)].hard == sum(none)
        assert report[str(task)].any_rule == pytest.approx(1 - np.mean(none))


def test_every_rule_answers_something_and_leaves_something_in_these_data(
    make_folder: MakeFolder,
) -> None:
    shares: dict[str, list[float]] = defaultdict(list)
    for seed in range(3):
        for task, found in easy(random_data(make_folder, seed, "exclude")).items():
            for name, share in found.top_10.items():
                shares[f"{task} {name}"].append(share)
    assert all(0 < np.mean(values) < 1 for values in shares.values()), shares


def test_pieces_of_bounded_size_give_the_same_answers(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random_data(make_folder, 1, "exclude")
    whole = easy(data)
    monkeypatch.setattr("benchmark.data.easy._REQUESTS", 7)
    monkeypatch.setattr("benchmark.data.easy._SCORES", 20)
    assert easy(data) == whole


def test_walkers_on_one_path_need_no_model(make_folder: MakeFolder) -> None:
    """User k walks from item k to item k + 5: whoever starts two later trains k's last step."""
    rows = [(f"u{k}", f"i{k + step}", step) for k in range(30) for step in range(6)]
    data = load_dataset(make_folder(rows))
    found = easy(data)["rec"]
    assert found.requests == 30
    assert found.top_10 == {
        "popularity": 0.0, "successors": 28 / 30, "one step": 28 / 30, "two steps": 28 / 30
    }  # fmt: skip
    assert (found.any_rule, found.hard, found.repeats) == (28 / 30, 2, 0.0)
    assert found.words is None
    asked = data.evaluation["test", Task.REC]
    hard = hard_requests(asked, data)
    assert {data.users[k] for k in asked.requests.user[hard]} == {"u28", "u29"}


def test_queries_that_others_asked_need_no_model(make_folder: MakeFolder) -> None:
    """Six users search the same words, written in two rows of the table, for the same six items."""
    rows = [(f"u{k}", f"i{(k + t) % 6}", t, f"q{k % 2}") for k in range(6) for t in range(5)]
    rows += [("other", f"i{t}", t, "") for t in range(6, 40)]
    items = [(f"i{i}", "lamp" if i == 0 else "chair", "") for i in range(40)]
    data = load_dataset(make_folder(rows, items, [("q0", "red lamp"), ("q1", "red lamp")]))
    found = easy(data)["search"]
    assert found.requests == 6
    assert found.top_10["most clicked"] == 1.0
    assert found.top_10["bm25"] == 1 / 6, "one target is a lamp"
    assert found.words is not None
    assert found.words.words_in_target == pytest.approx(1 / 12)
    assert found.words.all_words_in_target == 0.0
    assert found.words.queries_in_training == found.words.pairs_in_training == 1.0
    assert found.hard == 0


def test_a_search_of_nobody_else_is_hard(make_folder: MakeFolder) -> None:
    rows = [("u", f"i{t}", t, f"q{t}") for t in range(5)]
    rows += [("other", f"i{t}", t, "") for t in range(5, 40)]
    queries = [(f"q{t}", f"word{t}") for t in range(5)]
    data = load_dataset(make_folder(rows, None, queries))
    found = easy(data)["search"]
    assert (found.any_rule, found.hard) == (0.0, 1)
    assert found.words is not None
    assert found.words.queries_in_training == found.words.words_in_target == 0.0


def test_repeats_are_the_events_whose_item_came_earlier(make_folder: MakeFolder) -> None:
    rows = [("u", item, time) for time, item in enumerate("abcab")]
    rows += [("u", "c", 4), ("v", "a", 0), ("v", "a", 0, "q"), ("v", "b", 1), ("v", "d", 2)]
    rows = [(*row, "")[:4] for row in rows]
    data = load_dataset(make_folder(rows, None, [("q", "words")]), seen="keep")
    assert easy(data)["rec"].repeats == 3 / 9, "two events of one moment are no repeat"


PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-audit.md"


@pytest.mark.parametrize("name", ["ml-100k", "amazon-office"])
def test_the_page_says_what_the_audit_says(name: str, real_card: Callable[[str], Card]) -> None:
    data = load_dataset(real_card(name).name)
    lines = [line.strip("|").split("|") for line in PAGE.read_text().splitlines()]
    head = next(cells for cells in lines if f" {name} rec " in cells)
    for task, found in easy(data).items():
        column = head.index(f" {name} {task} ")
        said = {c[0].strip(): c[column].strip() for c in lines if len(c) == len(head)}
        shares = {"any_rule": found.any_rule, "repeats": found.repeats, **found.top_10}
        shares |= asdict(found.words) if found.words else {}
        wanted = {line: f"{share:.3f}" for line, share in shares.items()}
        wanted |= {"requests": str(found.requests), "hard": str(found.hard)}
        assert {line: said[line] for line in wanted} == wanted

"""A slow reader of the Amazon releases: plain Python, lists and dicts."""

from __future__ import annotations

import ast
import gzip
import html
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .plain_split import Event

__all__ = ["Read", "gensar_leaks", "read_amazon", "shuffled_lines"]


@dataclass(frozen=True)
class Read:
    """Events in the order that GenSAR gives a day, texts by item, and parts by event."""

    events: list[Event]
    texts: dict[str, dict[str, str]]
    parts: list[str]


def read_amazon(files: Mapping[str, Path], rules: Mapping[str, Any]) -> Read:
    """Read the files by the rules of a card."""
    release = rules.get("release", 2014)
    user, item, time, stars = (
        ("user_id", "parent_asin", "timestamp", "rating")
        if release == 2023
        else ("reviewerID", "asin", "unixReviewTime", "overall")
    )
    reviews = []
    for number, line in enumerate(_lines(files["reviews"])):
        record = json.loads(line)
        if record.get(user) and record.get(item) and record.get(time, -1) >= 0:
            rating = record.get(stars) or 0.0
            reviews.append((record[user], record[item], record[time], rating, number))
    everything = list(reviews)
    if rules.get("least_rating", 0) > 0:
        reviews = [r for r in reviews if r[3] >= rules["least_rating"]]
    reviews = _core(reviews, rules.get("core", 0))
    texts = {r[1]: dict.fromkeys(_FIELDS, "") for r in reviews}
    if "meta" in files:
        _fill(texts, files["meta"], release, rules)
        if rules.get("without_text", "drop") == "drop":
            reviews = [r for r in reviews if texts[r[1]]["title"] or texts[r[1]]["description"]]
    texts = {r[1]: texts[r[1]] for r in reviews}
    searches = _searches(files, rules, everything) if "query_text" in files else []
    lines = {r[4] for r in reviews}
    searches = [s for s in searches if s[0] in lines]
    twinned = {s[0] for s in searches}
    trained = (
        {int(line[5:]) for line in _lines(files["train_reviews"])}
        if "train_reviews" in files
        else set()
    )
    rows = []
    for who, what, when, rating, number in reviews:
        if rules.get("twins", True) or number not in twinned:
            event = Event(who, what, when, line=number)
            rows.append(
                (who, when, rating, number, event, "train" if number in trained else "test")
            )
    by_line = {r[4]: r for r in reviews}
    for number, words, session, part in searches:
        who, what, when = by_line[number][:3]
        event = Event(who, what, when, words, session, line=number)
        rows.append((who, when, 10_000, number, event, part))
    rows.sort(key=lambda row: row[:4])
    return Read([row[4] for row in rows], texts, [row[5] for row in rows])


def gensar_leaks(events: list[Event]) -> tuple[Counter[str], set[tuple[str, str, str]]]:
    """Count both leaks of GenSAR's preprocessing, as its lists and prefix counts have them.

    Args:
        events: of all users, by user, time, rating and, last, searches.

    Returns:
        By task, the test samples whose history holds the item that they ask for; and the tests as
        (task, user, item).
    """
    leaks: Counter[str] = Counter()
    tests = set()
    by_user: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_user[event.user].append(event)
    for user, stream in by_user.items():
        lists: dict[bool, list[str]] = {True: [], False: []}
        prefixes: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        for event in stream:
            searched = event.query is not None
            prefixes[searched].append((len(lists[False]), len(lists[True])))
            lists[searched].append(event.item)
        for searched in (False, True):
            own = [e for e in stream if (e.query is not None) == searched]
            samples = own if searched else sorted(own, key=lambda e: (e.time, e.line))
            kept = [
                (e.item, p)
                for e, p in zip(samples, prefixes[searched], strict=True)
                if p[0] and p[1]
            ]
            if len(kept) < 3:
                continue
            target, (recommended, _) = kept[-1]
            history = lists[False][:recommended]
            if searched and history[-1] == target:
                history = history[:-1]
            task = "search" if searched else "rec"
            tests.add((task, user, target))
            leaks[task] += target in history
    return leaks, tests


def shuffled_lines(path: Path, seed: int) -> None:
    """Write a packed file's lines anew in another order."""
    lines = _lines(path)
    random.Random(seed).shuffle(lines)
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


_FIELDS = ("title", "brand", "description", "features", "price", "categories")


def _lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n") for line in file]


def _core(reviews: list[tuple], least: int) -> list[tuple]:
    while least > 1:
        users, items = Counter(r[0] for r in reviews), Counter(r[1] for r in reviews)
        left = [r for r in reviews if users[r[0]] >= least and items[r[1]] >= least]
        if len(left) == len(reviews):
            break
        reviews = left
    return reviews


def _fill(texts: dict[str, dict[str, str]], path: Path, release: int, rules: Mapping) -> None:
    names = {"features": "feature", "categories": "category"} if release == 2018 else {}
    if release == 2023:
        names = {"brand": "store"}
    done = set()
    for line in _lines(path):
        record = ast.literal_eval(line) if release == 2014 else json.loads(line)
        item = record["parent_asin" if release == 2023 else "asin"]
        if item not in texts or item in done:
            continue
        done.add(item)
        for field in _FIELDS:
            value = record.get(names.get(field, field))
            if field == "categories":
                paths = value or []
                paths = paths if paths and isinstance(paths[0], list) else [paths]
                levels = [[_level(level, rules) for level in path] for path in paths]
                cells = [">".join(filter(None, path)) for path in levels]
                texts[item][field] = "|".join(filter(None, cells))
                continue
            text = " ".join(value) if isinstance(value, list) else str(value or "")
            if rules.get("clean", True):
                text = _clean(text)
            longest = rules.get("longest_text", 2000)
            if field in ("title", "description") and longest and len(text) >= longest:
                text = ""
            texts[item][field] = text


def _level(level: str, rules: Mapping) -> str:
    text = _clean(level) if rules.get("clean", True) else level
    return text.replace("|", " ").replace(">", " ").strip()


def _clean(text: str) -> str:
    text = html.unescape(text)
    text = re.sub("<(?=[/]?[a-zA-Z!])[^<>]*>", "\n", text)
    words = [word for word in text.replace('"', "").split() if word]
    text = " ".join(words)
    end = len(text)
    while end and text[end - 1] in ". ":
        end -= 1
    return text[:end] + "." if text[end:].count(".") >= 2 else text


def _searches(
    files: Mapping[str, Path], rules: Mapping, reviews: list[tuple]
) -> list[tuple[int, str, str | None, str]]:
    """Return line of the review, words, session and part of each search."""
    words = [line.strip() for line in _lines(files["query_text"])]
    earliest: dict[tuple[str, str], tuple[int, int]] = {}
    for who, what, when, _, number in reviews:
        earliest[who, what] = min(earliest.get((who, what), (when, number)), (when, number))
    rows = []
    for part in ("train", "test"):
        for line in _lines(files[f"{part}_qrels"]):
            name, _, item, label = line.split()
            user, _, query = name.rpartition("_")
            if (user, item) in earliest and int(query) < len(words) and int(label) > 0:
                rows.append((user, item, int(query), part))
    if rules.get("qrels", "merged") == "split":
        return [
            (earliest[user, item][1], words[query], f"{user}_{query}_{part}", part)
            for user, item, query, part in sorted(set(rows))
        ]
    by_pair: dict[tuple[str, str], set[int]] = defaultdict(set)
    for user, item, query, _ in rows:
        by_pair[user, item].add(query)
    pairs = sorted(by_pair)
    draws = np.random.Generator(np.random.PCG64(rules.get("seed", 1))).random(len(pairs))
    found = []
    for pair, draw in zip(pairs, draws.tolist(), strict=True):
        queries = sorted(by_pair[pair])
        found.append((earliest[pair][1], words[queries[int(draw * len(queries))]], None, "train"))
    return found

"""From files to stored counts, against a reference that reads the files itself, row by row.

The data hold what real logs hold: searches of several clicks, sessions, events of one second,
repeated takes, grades, and items that were shown and not taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.data.audit import audit
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Requests, Task
from benchmark.data.sources.atomic.tables import read_inter
from benchmark.data.sources.order import events_in_order
from benchmark.model import Model, NoSettings, TrainingContext, TrainView, Validation
from benchmark.registry import ModelEntry
from benchmark.running.plan import Experiment
from benchmark.running.runner import run_model

ITEMS = 24
PROTOCOLS = ("full", "sampled", "given")


class Scoring(Model):
    """Scores by the history, the user and the query, with many ties and some gaps."""

    tasks = frozenset(Task)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        pass

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        pass

    def score(self, requests: Requests) -> NDArray[np.float32]:
        offsets, seen = requests.seen()
        owner = np.repeat(np.arange(len(requests)), np.diff(offsets))
        past = np.bincount(owner, weights=seen + 1, minlength=len(requests)).astype(np.int64)
        words = np.array([len(text) for text in requests.query_texts()], dtype=np.int64)
        state = past + 3 * requests.user + 5 * words
        whole = scored(state[:, None], np.arange(requests.items)).astype(np.float32)
        return requests.of_candidates(whole)


class Retrieving(Scoring):
    """Gives the same scores, but names its best items instead."""

    scores_catalogue = False


ENTRIES = {
    name: ModelEntry(name, ("rec", "search"), "baseline", "", f"{__name__}:{kind.__name__}")
    for name, kind in (("scoring", Scoring), ("retrieving", Retrieving))
}


def scored(state: NDArray[np.integer] | int, item: NDArray[np.integer] | int) -> NDArray:
    place = (state * 7 + np.asarray(item) * 11) % 13
    return np.where(place % 5 == 0, -np.inf, -(place // 2) / 3)


@dataclass(frozen=True)
class Row:
    """A line of the ``.inter`` file; ``place`` is its number."""

    user: str
    item: str
    time: int
    query: str
    session: str
    grade: float
    place: int

    @property
    def searched(self) -> bool:
        return bool(self.query)


def made_up(seed: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for user in range(9):
        time = 0
        for step in range(int(rng.integers(9, 16))):
            time += int(rng.integers(0, 3))
            searched = rng.random() < 0.45
            session = f"s{user}-{step // 2}" if user % 3 == 0 else ""
            query = f"q{rng.integers(0, 3)}" if searched else ""
            for click in range(int(rng.integers(1, 4)) if searched or session else 1):
                item = int(rng.integers(0, ITEMS if rng.random() < 0.5 else 6))
                later = int(rng.integers(0, 2)) if session and searched and click else 0
                grade = float(rng.integers(0, 4)) if click else float(rng.integers(1, 4))
                rows.append(
                    Row(f"u{user}", f"i{item}", time + later, query, session, grade, len(rows))
                )
    return rows


def write(folder: Path, rows: list[Row]) -> Path:
    folder.mkdir()
    columns = ("user_id:token", "item_id:token", "timestamp:float", "query_id:token")
    lines = ["\t".join([*columns, "session_id:token", "label:float"])]
    lines += [f"{r.user}\t{r.item}\t{r.time}\t{r.query}\t{r.session}\t{r.grade:g}" for r in rows]
    (folder / "log.inter").write_text("\n".join(lines) + "\n")
    items = ["item_id:token\ttitle:token_seq"]
    items += [f"i{i}\tthing number{i}" for i in range(ITEMS)]
    (folder / "log.item").write_text("\n".join(items) + "\n")
    queries = ["query_id:token\tquery:token_seq"]
    queries += [f"q{i}\tthing number{'x' * i}" for i in range(3)]
    (folder / "log.query").write_text("\n".join(queries) + "\n")
    card = {
        "name": "log",
        "description": "made up",
        "source": "test",
        "licence": "CC0",
        "citation": "none",
        "files": {k: {"name": f"log.{k}"} for k in ("inter", "item", "query")},
        "title": "{title}",
        "grade": "label",
        "candidates": {"negatives": 5},
    }
    (folder / "card.yaml").write_text(json.dumps(card))
    return folder


def in_order(rows: list[Row], file: Path) -> list[Row]:
    """Return the events in the order that the lot decides, without copies; places count anew."""
    inter = events_in_order(read_inter(file, "label"))
    kept: dict[tuple, Row] = {}
    for place, line in enumerate(inter.row.tolist()):
        row = rows[line]
        key = (row.user, row.item, row.query, row.time) if row.grade > 0 else (place,)
        if key not in kept:
            kept[key] = replace(row, place=place)
    return list(kept.values())


def groups(rows: list[Row], searched: bool) -> dict[str, list[list[Row]]]:
    """Return the requests of each user, each with all its rows, in the order of their events."""
    found: dict[str, dict[tuple, list[Row]]] = {}
    for row in sorted(rows, key=lambda r: (r.time, r.place)):
        if row.searched != searched:
            continue
        if searched:
            key: tuple = (row.session, row.query) if row.session else (row.time, row.query)
        else:
            key = (row.session, row.time)
        found.setdefault(row.user, {}).setdefault(key, []).append(row)
    wanted: dict[str, list[list[Row]]] = {}
    for user, mine in found.items():
        taken = [group for group in mine.values() if any(r.grade > 0 for r in group)]

        def begin(group: list[Row]) -> tuple[int, int]:
            return min((r.time, r.place) for r in group if r.grade > 0)

        wanted[user] = sorted(taken, key=begin)
    return wanted


def expected(rows: list[Row], data: Dataset, seen: str) -> Iterator[dict[str, Any]]:
    """Yield what ``requests.parquet`` has to hold, from the rows alone but for sampled lists."""
    number = {item: i for i, item in enumerate(data.items.ids)}
    users = sorted({r.user for r in rows})
    for task in (Task.REC, Task.SEARCH):
        request = 0
        for user in users:
            mine = groups(rows, task is Task.SEARCH).get(user, [])
            if len(mine) < 3:
                continue
            group = mine[-1]
            taken = [r for r in group if r.grade > 0]
            now, session = min(r.time for r in taken), taken[0].session
            history = [
                r
                for r in rows
                if r.user == user
                and r.grade > 0
                and r.time < now
                and not (session and r.session == session)
            ]
            past = {number[r.item] for r in history}
            out = past if task is Task.REC and seen == "exclude" else set()
            gains: dict[int, float] = {}
            for r in taken:
                item = number[r.item]
                gains[item] = max(gains.get(item, 0.0), r.grade)
            gains = {item: gain for item, gain in gains.items() if item not in out}
            if not gains:
                continue
            words = f"thing number{'x' * int(taken[0].query[1:])}" if taken[0].query else ""
            state = sum(number[r.item] + 1 for r in history) + 3 * users.index(user)
            state += 5 * len(words)
            sampled = data.evaluation["test", task].lists["sampled"].at(np.array([request]))
            repeats = {number[r.item] for r in taken} & out
            lists = {
                "full": set(range(ITEMS)) - out,
                "sampled": set(sampled.items.tolist()),
                "given": {number[r.item] for r in group} - repeats,
            }
            bare = {r.item for r in group} == {r.item for r in taken}
            for protocol in PROTOCOLS:
                if not lists[protocol] or (protocol == "given" and bare):
                    continue
                score = {i: float(scored(state, i)) for i in lists[protocol]}
                for item, gain in sorted(gains.items()):
                    others = [score[i] for i in lists[protocol] if i != item]
                    yield {
                        "task": str(task),
                        "protocol": protocol,
                        "request": request,
                        "user": users.index(user),
                        "item": item,
                        "gain": gain,
                        "greater": sum(other > score[item] for other in others),
                        "tied": sum(other == score[item] for other in others),
                        "candidates": len(lists[protocol]),
                        "history": len(history),
                    }
            request += 1


@pytest.mark.parametrize("seen", ["exclude", "keep"])
@pytest.mark.parametrize("seed", range(4))
def test_stored_counts_are_those_of_a_slow_reference(seed: int, seen: str, tmp_path: Path) -> None:
    written = made_up(seed)
    folder = write(tmp_path / "log", written)
    rows = in_order(written, folder / "log.inter")
    assert len(rows) < len(written)
    data = load_dataset(folder, cache=tmp_path / "cache", seen=seen)  # type: ignore[arg-type]
    report = audit(data)
    assert report.ok, report.problems
    assert sum(row.same_time_in_history for row in report.rows) == 0
    keys = ["task", "protocol", "request", "item"]
    wanted = pd.DataFrame(expected(rows, data, seen)).sort_values(keys, ignore_index=True)
    files = []
    for entry in ENTRIES.values():
        plan = Experiment(entry, NoSettings(), "standard", (Task.REC, Task.SEARCH))
        run = run_model(plan, data, PROTOCOLS, 1, "cpu", tmp_path / "results", False).record
        stored = run.requests().sort_values(keys, ignore_index=True)
        for column in wanted.columns:
            assert stored[column].tolist() == wanted[column].tolist(), column
        files.append((run.folder / "requests.parquet").read_bytes())
    assert files[0] == files[1], "whether a model scores or retrieves changes nothing"
    repeated = {str(t): data.evaluation["test", t].repeated for t in Task}
    assert (repeated["rec"].targets > 0) == (seen == "exclude")


def test_the_made_up_data_hold_every_oddity() -> None:
    rows = [row for seed in range(4) for row in made_up(seed)]
    assert any(row.grade == 0 for row in rows)
    several = [g for s in (False, True) for mine in groups(rows, s).values() for g in mine]
    assert any(len({r.item for r in g if r.grade > 0}) > 1 for g in several)
    assert any(len({r.time for r in g}) > 1 for g in several), "a session over several seconds"


def test_data_audit_of_such_data_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    folder = write(tmp_path / "log", made_up(1))
    assert CliRunner().invoke(app, ["data", "audit", str(folder)]).exit_code == 0

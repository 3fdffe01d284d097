from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.catalogue import Queries
from benchmark.data.events import EventLog
from benchmark.data.requests import Requests, Task
from benchmark.data.split import RequestRows

Row = Sequence[object]
MakeFolder = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("BENCHMARK_CACHE", str(cache))
    return cache


def _table(header: str, rows: Iterable[Row]) -> bytes:
    lines = [header, *("\t".join(map(str, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Write a bare folder ``ml`` of atomic files.

    ``columns`` names what events have beyond user, item and time.
    """

    def make(
        inter: Iterable[Row],
        items: Iterable[Row] | None = None,
        queries: Iterable[Row] | None = None,
        name: str = "ml",
        columns: Sequence[str] = ("query_id:token",),
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rows = [tuple(row) for row in inter]
        header = "user_id:token\titem_id:token\ttimestamp:float"
        header = "\t".join([header, *columns[: len(rows[0]) - 3 if rows else 0]])
        (folder / f"{name}.inter").write_bytes(_table(header, rows))
        if items is not None:
            head = "item_id:token\ttitle:token_seq\tbrand:token_seq"
            (folder / f"{name}.item").write_bytes(_table(head, items))
        if queries is not None:
            head = "query_id:token\tquery:token_seq"
            (folder / f"{name}.query").write_bytes(_table(head, queries))
        return folder

    return make


def log_of(rows: Sequence[tuple[int, ...]], users: int = 5) -> EventLog:
    """Return the log of (user, item, time, query) or (user, item, time, query, session) rows.

    Query -1 makes a recommendation; session -1, the default, is none.
    """
    whole = [(*row, -1)[:5] for row in rows]
    user, item, time, query, session = np.array(whole, dtype=np.int64).reshape(-1, 5).T
    return EventLog.from_columns(user, item, time, query >= 0, query, session, users)


def names_of(queries: int) -> Queries:
    """Return a table of made-up queries."""
    names = tuple(f"query {i}" for i in range(queries))
    return Queries(names, names, ("given",) * queries)


def requests_of(log: EventLog, asked: RequestRows, task: Task, queries: int = 9) -> Requests:
    """Return the requests that a split decides on."""
    return Requests.before(
        log,
        asked.stop,
        task=task,
        user=log.user[asked.first],
        time=log.time[asked.first],
        query=log.query[asked.first],
        queries=names_of(queries),
        items=10,
        exclude_seen=task is Task.REC,
    ).without(asked.omit)

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.catalogue import Queries
from benchmark.data.events import EventLog
from benchmark.data.requests import Requests, Task

Row = Sequence[object]
MakeFolder = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("BENCHMARK_CACHE", str(cache))
    monkeypatch.delenv("BENCHMARK_DATA", raising=False)
    return cache


def _table(header: str, rows: Iterable[Row]) -> bytes:
    lines = [header, *("\t".join(map(str, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Write a bare folder ``ml`` of atomic files."""

    def make(
        inter: Iterable[Row],
        items: Iterable[Row] | None = None,
        queries: Iterable[Row] | None = None,
        name: str = "ml",
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rows = [tuple(row) for row in inter]
        header = "user_id:token\titem_id:token\ttimestamp:float"
        if rows and len(rows[0]) > 3:
            header += "\tquery_id:token"
        (folder / f"{name}.inter").write_bytes(_table(header, rows))
        if items is not None:
            head = "item_id:token\ttitle:token_seq\tbrand:token_seq"
            (folder / f"{name}.item").write_bytes(_table(head, items))
        if queries is not None:
            head = "query_id:token\tquery:token_seq"
            (folder / f"{name}.query").write_bytes(_table(head, queries))
        return folder

    return make


def log_of(rows: Sequence[tuple[int, int, int, int]], users: int = 5) -> EventLog:
    """Return the log of (user, item, time, query) rows; query -1 makes a recommendation."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
    user, item, time, query = columns.T
    none = np.full(len(columns), -1)
    return EventLog.from_columns(user, item, time, query >= 0, query, none, users)


def requests_of(
    log: EventLog, rows: np.ndarray, omit: np.ndarray, task: Task = Task.REC, queries: int = 9
) -> Requests:
    names = tuple(f"query {i}" for i in range(queries))
    return Requests(
        task=task,
        user=log.user[rows],
        time=log.time[rows],
        query=log.query[rows],
        queries=Queries(names, names, ("given",) * queries),
        items=10,
        candidates=None,
        exclude_seen=task is Task.REC,
        _log=log,
        _stop=rows,
        _omit=omit,
    )

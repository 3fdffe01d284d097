"""One board, a table of it, and what a score is."""

from __future__ import annotations

import numpy as np

from benchmark.analysis.leaderboard import Leaderboard, Table, boards
from benchmark.results.record import RunRecord


def table(board: Leaderboard, which: tuple[str, str], metric: str = "ndcg@10") -> Table:
    return next(t for t in board.tables if (t.task, t.protocol, t.metric) == (*which, metric))


def only(records: list[RunRecord]) -> Leaderboard:
    (board,) = boards(records)
    return board


def ndcg(above: np.ndarray) -> np.ndarray:
    return np.where(above < 10, 1 / np.log2(above + 2.0), 0.0)

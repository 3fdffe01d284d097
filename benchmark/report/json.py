"""Boards as one JSON document for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.analysis.tables import Row, Table
from benchmark.analysis.tradeoff import TradeOff

__all__ = ["to_document"]


def to_document(boards: list[Leaderboard]) -> dict[str, Any]:
    """Return the boards of one data set (several where it was split or read differently).

    ``pairs`` holds all pairs of a table, the better model first; a row that is not complete has
    ``None`` for everything measured.
    """
    return {
        "dataset": boards[0].dataset if boards else None,
        "tables": [_table(board, table) for board in boards for table in board.tables],
        "tradeoff": [_tradeoff(each) for board in boards for each in board.tradeoff],
        "ablations": [asdict(each) for board in boards for each in board.ablations],
        "changed_settings": [asdict(each) for board in boards for each in board.changed],
        "curves": [
            {
                "model": curve.label,
                "preset": curve.preset,
                "seed": curve.seed,
                "points": list(curve.points),
            }
            for board in boards
            for curve in board.curves
        ],
    }


def _table(board: Leaderboard, table: Table) -> dict[str, Any]:
    return {
        "task": table.task,
        "protocol": table.protocol,
        "slice": table.slice,
        "metric": table.metric,
        "split": board.split,
        "leakage": board.leakage,
        "seen": board.seen,
        "digest": board.digest,
        "candidates": board.candidates,
        "question": table.question,
        "rows": [_row(row) for row in table.rows],
        "pairs": [asdict(pair) for pair in table.pairs],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "model": row.entry.label,
        "preset": row.entry.preset,
        "mean": row.mean,
        "low": row.low,
        "high": row.high,
        "sd": row.sd,
        "seeds": row.seeds,
        "requests": row.requests,
        "tier": row.tier,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "borrowed": row.borrowed,
        "top": row.top,
        "fit_seconds": row.entry.fit_seconds,
        "seconds_per_request": row.seconds_per_request,
        "parameters": row.entry.parameters,
    }


def _tradeoff(row: TradeOff) -> dict[str, Any]:
    changes = {}
    for task, change in (("rec", row.rec), ("search", row.search)):
        values = asdict(change)
        changes[task] = {"single": values.pop("reference"), "joint": values.pop("value"), **values}
    return {"model": row.label, **changes, "harmonic": row.harmonic}

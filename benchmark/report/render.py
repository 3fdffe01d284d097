"""Boards as Markdown for people and as JSON for programs."""

from __future__ import annotations

from typing import Any

from tabulate import tabulate

from benchmark.report.leaderboard import SHOWN, Board, Table

__all__ = ["to_json", "to_markdown"]

_TASKS = {"rec": "Recommendation", "search": "Search"}
_PROTOCOLS = {"full": "whole catalogue", "sampled": "target among 99 others"}


def to_markdown(boards: list[Board]) -> str:
    """Return all boards as one Markdown text that ends in a newline."""
    parts = [_board(board) for board in boards]
    return "\n\n".join(parts) + "\n" if parts else "No runs yet.\n"


def _board(board: Board) -> str:
    lines = [
        f"## {board.dataset}",
        "",
        f"Split {board.split}, leakage {board.leakage}, seen items {board.seen}"
        f" (data {board.digest[:12]}, candidates {board.candidates[:12]}). Bold: not"
        " distinguishable from the best by NDCG@10 (Fisher's randomisation test, Holm's correction,"
        " 0.05).",
    ]
    notes = _notes(board)
    if notes:
        lines += ["", " ".join(notes)]
    for table in board.tables:
        if table.metric == SHOWN[0]:
            others = [
                t
                for t in board.tables
                if (t.task, t.protocol) == (table.task, table.protocol) and t is not table
            ]
            lines += ["", _table(table, others)]
    return "\n".join(lines)


def _notes(board: Board) -> list[str]:
    rows = [row for table in board.tables for row in table.rows]
    presets = sorted({row.entry.preset for row in rows})
    notes = [f"Presets: {', '.join(presets)}."]
    if any(row.seeds < 3 for row in rows):
        notes.append("Fewer than 3 seeds: the spread over seeds is not known well.")
    if any(t.task == "search" and t.protocol == "sampled" for t in board.tables):
        notes.append(
            "Sampled search lists are the best wrong answers of BM25, so they are adversarial to"
            " `bm25`; read search over the whole catalogue first."
        )
    if board.superseded:
        notes.append(f"Runs left out because a newer one has the same request: {board.superseded}.")
    if any(row.mean is None for row in rows):
        notes.append("n/a: not every seed was asked so.")
    return notes


def _table(table: Table, others: list[Table]) -> str:
    tested = {pair.b: pair for pair in table.pairs}
    means = {t.metric: {r.entry.label: r.mean for r in t.rows} for t in others}
    body = []
    for row in table.rows:
        label = row.entry.label
        main = _number(row.mean) + (f" ± {row.sd:.4f}" if row.sd is not None else "")
        bold = row.tier == "a"
        pair = tested.get(label)
        body.append(
            [
                f"**{label}**" if bold else label,
                f"**{main}**" if bold else main,
                *(_number(means[name][label]) for name in SHOWN[1:]),
                _p(pair.p_holm) if pair else "best" if bold else "n/a",
                row.seeds,
                _seconds(row.entry.fit_seconds),
                _milliseconds(row.seconds_per_request),
                f"{row.entry.runs[0].info['parameters']:,}",
            ]
        )
    title = f"### {_TASKS[table.task]}, {_PROTOCOLS[table.protocol]}"
    headers = ["model", *(name.upper() for name in SHOWN), "p (Holm)", "seeds", "training"]
    headers += ["per request", "parameters"]
    size = table.rows[0].requests
    count = f" ({size} requests)" if size is not None else ""
    align = ("left", *("right",) * (len(headers) - 1))
    grid = tabulate(body, headers, tablefmt="pipe", colalign=align, disable_numparse=True)
    return f"{title}{count}\n\n{grid}"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"


def _milliseconds(seconds: float | None) -> str:
    return "n/a" if seconds is None else f"{1000 * seconds:.2f} ms"


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def to_json(boards: list[Board]) -> dict[str, Any]:
    """Return the boards of one data set in the contract's form."""
    return {
        "dataset": boards[0].dataset if boards else None,
        "tables": [_table_json(board, table) for board in boards for table in board.tables],
        "tradeoff": [],
    }


def _table_json(board: Board, table: Table) -> dict[str, Any]:
    return {
        "task": table.task,
        "protocol": table.protocol,
        "slice": "all",
        "metric": table.metric,
        "split": board.split,
        "leakage": board.leakage,
        "seen": board.seen,
        "digest": board.digest,
        "candidates": board.candidates,
        "rows": [
            {
                "model": row.entry.label,
                "preset": row.entry.preset,
                "mean": row.mean,
                "sd": row.sd,
                "seeds": row.seeds,
                "requests": row.requests,
                "tier": row.tier,
                "fit_seconds": row.entry.fit_seconds,
                "seconds_per_request": row.seconds_per_request,
                "parameters": row.entry.runs[0].info["parameters"],
            }
            for row in table.rows
        ],
        "pairs": [vars(pair) for pair in table.pairs],
    }

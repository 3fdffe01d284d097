"""What each model of a board reads, and how it was tuned."""

from __future__ import annotations

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.given import Given
from benchmark.report.text_tables import Cell, Grid

__all__ = ["given_grids"]


def given_grids(board: Leaderboard) -> list[Grid]:
    """Return one grid of what each model reads and how it was tuned, if any of them declares it."""
    entries = {row.entry.label: row.entry for table in board.tables for row in table.rows}
    if all(entry.given is None for entry in entries.values()):
        return []
    body = tuple(
        (
            Cell(label),
            *(_NOT_DECLARED if entry.given is None else _declared(entry.given)),
            Cell(str(entry.trials) if entry.trials else "not tuned", value=entry.trials),
        )
        for label, entry in entries.items()
    )
    headers = ("model", "item text", "query text", "times", "user vector", "pretrained encoder")
    more = ("pseudo-queries", "rec learns from", "history read", "tuning trials")
    return [Grid("What each model is given", (*headers, *more), body)]


_NOT_DECLARED = (Cell("not declared"), *(Cell("") for _ in range(7)))


def _declared(given: Given) -> tuple[Cell, ...]:
    return (
        *(Cell("yes" if each else "") for each in (given.item_text, given.query_text)),
        Cell("" if given.times == "order" else given.times),
        Cell("yes" if given.users else ""),
        Cell(_encoder(given)),
        Cell(given.pseudo_queries),
        Cell(given.rec_targets),
        _history(given.longest_history),
    )


def _history(longest: int | None) -> Cell:
    """Tell how many events of a history are read."""
    if longest is None:
        return Cell("all")
    return Cell(f"{longest:,}" if longest else "none", value=longest)


def _encoder(given: Given) -> str:
    if not given.encoder:
        return ""
    return f"{given.encoder} ({given.encoder_parameters / 1e6:.0f} M)"

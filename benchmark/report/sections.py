"""The sections of a board, in the one order in which every written form shows them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.report.given_grid import given_grids
from benchmark.report.model_grid import model_grids
from benchmark.report.text_tables import (
    Grid,
    ablation_grids,
    agreement_grids,
    changed_grids,
    main_grids,
    pair_grids,
    reach_grids,
    slice_grids,
    tradeoff_grids,
)

__all__ = ["Section", "sections"]


@dataclass(frozen=True)
class Section:
    """A part of a board that belongs together.

    Attributes:
        name: one word, for links.
        title: the heading.
        grids: its tables.
        chart: the chart above them, by the name that the page's script knows; empty for none.
        folded: whether the tables are many, to be opened by whoever wants them.
        detail: whether it is left out where room is short, as on paper.
        models: number of leading columns that hold names of models.
    """

    name: str
    title: str
    grids: tuple[Grid, ...] = ()
    chart: str = ""
    folded: bool = False
    detail: bool = False
    models: int = 1


def sections(board: Leaderboard, pages: str = "") -> list[Section]:
    """Return the sections of a board that have anything to show.

    Args:
        board: to be shown.
        pages: address of the models' pages, as :func:`benchmark.report.model_grid.model_grids`
            takes it.
    """
    reach = tuple(reach_grids(board))
    every = (
        Section("results", "Results", tuple(main_grids(board))),
        Section("models", "The models", tuple(model_grids(board, pages)), folded=True, detail=True),
        Section("given", "What each model is given", tuple(given_grids(board)), folded=True),
        Section("joint", "Search against recommendation", reach, "joint", detail=True),
        Section("cost", "Cost against quality", (), "cost" if reach else "", detail=True),
        Section("curves", "Learning curves", (), "curves" if board.curves else "", detail=True),
        Section(
            "pairs",
            "Pairs of models",
            tuple(pair_grids(board)),
            folded=True,
            detail=True,
            models=2,
        ),
        Section(
            "slices",
            "By kind of query, history and item",
            tuple(slice_grids(board)),
            folded=True,
        ),
        Section("tradeoff", "One model for both tasks", tuple(tradeoff_grids(board))),
        Section("agreement", "The same order elsewhere", tuple(agreement_grids(board)), models=0),
        Section("ablations", "Ablations", tuple(ablation_grids(board)), models=0),
        Section("settings", "Changed settings", tuple(changed_grids(board)), models=0),
    )
    return [part for part in every if part.grids or (part.chart and part.name != "joint")]

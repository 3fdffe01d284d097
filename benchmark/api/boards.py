"""Leaderboards of runs, as a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

import pandas as pd

from benchmark.analysis.leaderboard import Leaderboard, boards
from benchmark.report.forest import forest
from benchmark.report.fragment import to_fragment
from benchmark.report.html import to_html
from benchmark.report.markdown import to_markdown
from benchmark.results.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Boards"]


class Boards(Sequence[Leaderboard]):
    """A leaderboard for each version of each data set that runs were made on."""

    def __init__(self, made: Iterable[Leaderboard]) -> None:
        self._boards = tuple(made)

    @classmethod
    def of(cls, records: Iterable[RunRecord]) -> Boards:
        """Return the boards of runs; see :func:`benchmark.analysis.leaderboard.boards`."""
        return cls(boards(records))

    @overload
    def __getitem__(self, place: int) -> Leaderboard: ...
    @overload
    def __getitem__(self, place: slice) -> Boards: ...
    def __getitem__(self, place: int | slice) -> Leaderboard | Boards:
        """Return the board at a place, or the boards of a part."""
        found = self._boards[place]
        return found if isinstance(found, Leaderboard) else Boards(found)

    def __len__(self) -> int:
        return len(self._boards)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each place of each table over all requests, best first.

        The columns are ``dataset``, ``task``, ``protocol``, ``metric``, ``model``, ``mean``, the
        ends ``low`` and ``high`` of its 95% interval, ``sd`` over seeds, ``seeds``, ``requests``,
        ``letters`` (models that share one cannot be told apart), ``rank_low`` and ``rank_high``
        (where it may stand), ``top`` (it cannot be told from the best), ``training_seconds`` and
        ``parameters``.
        """
        return pd.DataFrame(list(self._rows()), columns=list(_COLUMNS))

    def _rows(self) -> Iterator[tuple[object, ...]]:
        for board in self:
            for table in board.tables:
                if table.slice != "all":
                    continue
                for row in table.rows:
                    yield (
                        board.dataset,
                        table.task,
                        table.protocol,
                        table.metric,
                        row.entry.label,
                        row.mean,
                        row.low,
                        row.high,
                        row.sd,
                        row.seeds,
                        row.requests,
                        row.tier,
                        row.rank_low,
                        row.rank_high,
                        row.top,
                        row.entry.fit_seconds,
                        row.entry.parameters,
                    )

    def to_markdown(self, brief: bool = True) -> str:
        """Return the tables as Markdown; with ``brief`` without slices and further protocols."""
        return to_markdown([board.brief() if brief else board for board in self])

    def to_html(self) -> str:
        """Return all of it as a page of its own, with charts, that needs no network."""
        return to_html(list(self))

    def plot(self) -> Figure:
        """Return a figure of means, intervals and possible ranks; see :func:`forest`.

        Raises:
            ValueError: there is no run to draw.
        """
        figure = forest(self)
        if figure is None:
            raise ValueError("there is no run to draw")
        return figure

    def _repr_html_(self) -> str:
        return to_fragment(self)

    def __repr__(self) -> str:
        return to_markdown([board.brief() for board in self])


_COLUMNS = (
    "dataset",
    "task",
    "protocol",
    "metric",
    "model",
    "mean",
    "low",
    "high",
    "sd",
    "seeds",
    "requests",
    "letters",
    "rank_low",
    "rank_high",
    "top",
    "training_seconds",
    "parameters",
)

"""A picture of a data set: its histograms beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from benchmark.plain_text import plain
from benchmark.report.figures import drawing, file_of
from benchmark.target import Target

__all__ = ["Chart", "draw"]

_COLUMNS = 2
_WIDTH, _HEIGHT = 5.0, 2.8
_TITLE = 52
_COLOUR = "#4477aa"


@dataclass(frozen=True)
class Chart:
    """A histogram: its title, and the label and count of each bar from left to right."""

    title: str
    rows: Sequence[tuple[str, int]]


def draw(name: str, charts: Sequence[Chart], target: Target) -> None:
    """Draw histograms into an SVG or PNG file; the same ones give the same bytes.

    Args:
        name: what stands above all of them.
        charts: at least one.
        target: the file to write, whose name says which of the two it is.

    Raises:
        InputError: it cannot be written.
    """
    # pyplot would ask for a display; a figure of one's own does not.
    from matplotlib.figure import Figure

    lines = -(-len(charts) // _COLUMNS)
    with drawing():
        figure = Figure(figsize=(_COLUMNS * _WIDTH, lines * _HEIGHT + 0.5), layout="constrained")
        figure.suptitle(plain(name, 80))
        places = list(figure.subplots(lines, _COLUMNS, squeeze=False).flat)
        for axes, chart in zip(places, charts, strict=False):
            _draw(axes, chart)
        for axes in places[len(charts) :]:
            axes.set_axis_off()
    target.write(file_of(figure, target.path.suffix))


def _draw(axes: Any, chart: Chart) -> None:
    places = range(len(chart.rows))
    axes.bar(places, [count for _, count in chart.rows], width=0.9, color=_COLOUR)
    labels = [plain(label) for label, _ in chart.rows]
    axes.set_xticks(places, labels, rotation=45, ha="right", fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_title(fill(plain(chart.title), _TITLE), fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)

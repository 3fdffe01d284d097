"""A picture of identifiers: how evenly codes are used, and which neighbours share a prefix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.files import writing

__all__ = ["draw"]


def draw(kinds: dict[str, Any], file: Path) -> None:
    """Draw a row of two charts for each kind of identifier into an SVG file.

    Left, for each level: its codes, those in use and their perplexity. Right, where the run tells
    it: how many of an item's 10 nearest items share a prefix of so many codes, beside chance.

    Args:
        kinds: facts by kind of identifier, as in ``run.json``.
        file: to write.

    Raises:
        InputError: it cannot be written.
    """
    # pyplot would ask for a display; a figure of one's own does not.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "benchmark", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 3.2 * len(kinds)), layout="constrained")
        axes = figure.subplots(len(kinds), 2, squeeze=False)
        for (left, right), (kind, facts) in zip(axes, kinds.items(), strict=True):
            _draw_levels(left, kind, facts["levels"])
            _draw_neighbours(right, kind, facts.get("neighbours") or {})
        with writing(file) as unfinished:
            figure.savefig(unfinished, format="svg", metadata={"Date": None})


def _draw_levels(axes: Any, kind: str, levels: list[dict[str, float]]) -> None:
    for place, name in enumerate(("codes", "used", "perplexity")):
        numbers = [number + 0.27 * (place - 1) for number in range(1, len(levels) + 1)]
        axes.bar(numbers, [level[name] for level in levels], width=0.25, label=name)
    axes.set_xticks(range(1, len(levels) + 1))
    axes.set(title=f"{kind}: use of codes", xlabel="level", ylabel="codes")
    axes.legend()


def _draw_neighbours(axes: Any, kind: str, spaces: dict[str, list[dict[str, float]]]) -> None:
    chance: list[float] = []
    for space, kept in spaces.items():
        lengths = range(1, len(kept) + 1)
        axes.plot(lengths, [10 * k["kept"] for k in kept], marker="o", label=f"{space} neighbours")
        chance = [10 * k["by_chance"] for k in kept]
    axes.plot(range(1, len(chance) + 1), chance, linestyle=":", label="by chance")
    axes.set_xticks(range(1, len(chance) + 1))
    axes.set(
        title=f"{kind}: neighbours that share a prefix",
        xlabel="codes of the prefix",
        ylabel="of the 10 nearest items",
        ylim=(0, 10),
    )
    axes.legend()

"""A picture of identifiers: how evenly codes are used, and which neighbours share a prefix."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from benchmark.model_protocols import IdentifierFacts, LevelUse, PrefixShare
from benchmark.plain_text import plain
from benchmark.target import Target

__all__ = ["draw"]


def draw(identifiers: Mapping[str, IdentifierFacts], target: Target) -> None:
    """Draw a row of two charts for each identifier into an SVG file.

    Left, for each level: its codes, those in use and their perplexity. Right, where the run tells
    it: how many of an item's 10 nearest items share a prefix of so many codes, beside chance.

    Args:
        identifiers: facts by the name of the identifier.
        target: the file to write.

    Raises:
        InputError: it cannot be written.
    """
    # pyplot would ask for a display; a figure of one's own does not.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(
        {"svg.hashsalt": "benchmark", "svg.fonttype": "none", "text.parse_math": False}
    ):
        figure = Figure(figsize=(9, 3.2 * len(identifiers)), layout="constrained")
        axes = figure.subplots(len(identifiers), 2, squeeze=False)
        for (left, right), (name, facts) in zip(axes, identifiers.items(), strict=True):
            _draw_levels(left, plain(name), facts.levels)
            _draw_neighbours(right, plain(name), facts.neighbours)
        drawn = BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    target.write(drawn.getvalue())


def _draw_levels(axes: Any, identifier: str, levels: tuple[LevelUse, ...]) -> None:
    for place, name in enumerate(("codes", "used", "perplexity")):
        numbers = [number + 0.27 * (place - 1) for number in range(1, len(levels) + 1)]
        axes.bar(numbers, [getattr(level, name) for level in levels], width=0.25, label=name)
    axes.set_xticks(range(1, len(levels) + 1))
    axes.set(title=f"{identifier}: use of codes", xlabel="level", ylabel="codes")
    axes.legend()


def _draw_neighbours(
    axes: Any, identifier: str, spaces: Mapping[str, tuple[PrefixShare, ...]]
) -> None:
    chance: list[float] = []
    for space, shares in spaces.items():
        lengths = range(1, len(shares) + 1)
        axes.plot(
            lengths,
            [10 * share.kept for share in shares],
            marker="o",
            label=plain(f"{space} neighbours"),
        )
        chance = [10 * share.by_chance for share in shares]
    axes.plot(range(1, len(chance) + 1), chance, linestyle=":", label="by chance")
    axes.set_xticks(range(1, len(chance) + 1))
    axes.set(
        title=f"{identifier}: neighbours that share a prefix",
        xlabel="codes of the prefix",
        ylabel="of the 10 nearest items",
        ylim=(0, 10),
    )
    axes.legend()

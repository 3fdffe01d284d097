"""Two runs against each other, as a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import pandas as pd

from benchmark.analysis import comparison
from benchmark.analysis.comparison import QUESTION, Comparison
from benchmark.analysis.scores import SHOWN
from benchmark.api.runs import Runs
from benchmark.errors import InputError
from benchmark.evaluation.metrics import parse
from benchmark.results.find_run import find_pair
from benchmark.results.record import RunRecord, read_run

__all__ = ["Comparisons", "compare"]


class Comparisons(Sequence[Comparison]):
    """How two runs compare in each task, protocol and metric.

    They answer whether other requests would show the difference between these two trainings.
    """

    def __init__(self, made: Iterable[Comparison]) -> None:
        self._made = tuple(made)

    @overload
    def __getitem__(self, place: int) -> Comparison: ...
    @overload
    def __getitem__(self, place: slice) -> Comparisons: ...
    def __getitem__(self, place: int | slice) -> Comparison | Comparisons:
        """Return the comparison at a place, or those of a part."""
        found = self._made[place]
        return found if isinstance(found, Comparison) else Comparisons(found)

    def __len__(self) -> int:
        return len(self._made)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each comparison.

        The columns are ``task``, ``protocol``, ``metric``, the means ``a`` and ``b``,
        ``difference`` (b minus a) with its 95% interval ``low`` to ``high``, ``p`` of Fisher's
        randomisation test, ``win``, ``tie`` and ``loss`` (requests), ``effect`` and
        ``detectable``, the difference that would be found with a power of 80%.
        """
        return pd.DataFrame(
            [
                {
                    "task": each.task,
                    "protocol": each.protocol,
                    "metric": each.metric,
                    "a": each.a,
                    "b": each.b,
                    "difference": each.difference,
                    "low": each.interval[0],
                    "high": each.interval[1],
                    "p": each.p["randomisation"],
                    "win": each.win,
                    "tie": each.tie,
                    "loss": each.loss,
                    "effect": each.effect.size,
                    "detectable": each.detectable,
                }
                for each in self
            ]
        )

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(index=False, float_format="{:.4g}".format)
        return f"<p>{QUESTION}</p>\n{table}"

    def __repr__(self) -> str:
        return f"{QUESTION}\n{self.to_frame().to_string(index=False)}"


def compare(
    a: RunRecord | Runs | str | Path,
    b: RunRecord | Runs | str | Path,
    *metrics: str,
    examples: int = 5,
    results: str | Path = "results",
) -> Comparisons:
    """Compare run ``b`` with run ``a``, request by request.

    Args:
        a: the run to start from: a record, a single one in :class:`Runs`, its folder, its id or the
            beginning of its digits, or a model. Of two models the newest pair is meant that is most
            alike: on one data set, with a task in common, by one preset, of one seed.
        b: the run to compare with it.
        metrics: names of metrics; the leaderboard's three if none is given.
        examples: at most so many requests in each direction.
        results: folder of the run records that ids and models are of.

    Raises:
        InputError: one is not a single run, or they have nothing in common.
    """
    names = tuple(parse(name).name for name in metrics) or SHOWN
    given = (_single(a, "a"), _single(b, "b"))
    one, other = (each if isinstance(each, str) else str(each.folder) for each in given)
    folders = find_pair(one, other, Path(results))
    runs = [
        each if isinstance(each, RunRecord) else read_run(folder)
        for each, folder in zip(given, folders, strict=True)
    ]
    return Comparisons(comparison.compare(runs[0], runs[1], names, examples))


def _single(run: RunRecord | Runs | str | Path, which: str) -> RunRecord | str:
    """Return a run, or what it is called."""
    if isinstance(run, (str, Path)):
        return str(run)
    if isinstance(run, RunRecord):
        return run
    if len(run) != 1:
        raise InputError(f"{which}: {len(run)} runs; name one, as in runs[0]")
    return run[0]

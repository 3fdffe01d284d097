"""Tiers of any benchmark's scores: a table with a row for each system and item."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.statistics.paired import LEVEL, by_unit
from benchmark.statistics.recipes import MARGIN, Question, Recipe, Tiers, compare_recipes

__all__ = ["COLUMNS", "OPTIONAL", "recipes_of", "tiers"]

COLUMNS = ("system", "item", "score")
OPTIONAL = ("seed", "cluster")


def tiers(
    frame: pd.DataFrame,
    *,
    level: float = LEVEL,
    margin: float = MARGIN,
    question: Question = "recipes",
) -> Tiers:
    """Compare the systems of a table of scores; they come in ascending order of their names.

    Args:
        frame: a row for each system, item and, where there is such a column, seed. Columns
            ``system``, ``item``, ``score`` (higher is better), optional ``seed`` (of a training)
            and ``cluster`` (items of one cluster, such as one user's requests, are summed and
            count as one unit).
        level: probability of any wrong difference.
        margin: share of the best mean below which a difference does not matter.
        question: whether p-values speak of other trainings too, see :func:`compare_recipes`.

    Raises:
        InputError: a column is missing, a cell is empty, twice or no finite number, a system lacks
            an item, an item has two clusters, or there are fewer than two systems or units. It
            names the row by the frame's index.
    """
    return compare_recipes(recipes_of(frame), level=level, margin=margin, question=question)


def recipes_of(frame: pd.DataFrame) -> list[Recipe]:
    """Return the systems of a table of scores by name; see :func:`tiers`."""
    _check_columns(frame)
    _check_filled(frame)
    keys = {name: _codes(frame, name) for name in ("system", "item", *OPTIONAL)}
    (system, systems), (item, items) = keys["system"], keys["item"]
    seed, seeds = keys["seed"]
    training = system * len(seeds) + seed
    trainings, row = np.unique(training, return_inverse=True)
    cell = row * len(items) + item
    _check_once(frame, cell)
    cells = np.full(len(trainings) * len(items), np.nan)
    cells[cell] = _scores(frame)
    grid = cells.reshape(len(trainings), len(items))
    _check_whole(
        grid, [(systems[t // len(seeds)], seeds[t % len(seeds)]) for t in trainings], items
    )
    units = by_unit(grid, _clusters(frame, item, len(items), keys["cluster"][0]))
    if units.shape[1] < 2:
        what = "cluster" if "cluster" in frame else "item"
        raise InputError(f"one {what}: two or more are needed to tell systems apart")
    owner = trainings // len(seeds)
    return [Recipe(name, units[owner == place]) for place, name in enumerate(systems)]


def _check_columns(frame: pd.DataFrame) -> None:
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        known = ", ".join(str(name) for name in frame.columns)
        raise InputError(f"no column '{missing[0]}' among the columns: {known or 'none'}")
    twice = [name for name in (*COLUMNS, *OPTIONAL) if list(frame.columns).count(name) > 1]
    if twice:
        raise InputError(f"two columns are named '{twice[0]}'")
    if frame.empty:
        raise InputError("there are no rows")


def _check_filled(frame: pd.DataFrame) -> None:
    for name in ("system", "item", *OPTIONAL):
        if name in frame:
            empty = (frame[name].isna() | (frame[name].astype(str).str.strip() == "")).to_numpy()
            if empty.any():
                raise InputError(f"{_row(frame, int(empty.argmax()))}: no {name}")


def _codes(frame: pd.DataFrame, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Number the values of a column in ascending order; a column that is not there has one."""
    if name not in frame:
        return np.zeros(len(frame), dtype=np.int64), [""]
    values = frame[name]
    if pd.api.types.is_numeric_dtype(values):
        codes, known = pd.factorize(values, sort=True)
        return codes.astype(np.int64), [str(value) for value in known.tolist()]
    codes, known = pd.factorize(values.astype(str), sort=True)
    return codes.astype(np.int64), known.tolist()


def _check_once(frame: pd.DataFrame, cell: NDArray[np.int64]) -> None:
    twice = pd.Series(cell).duplicated().to_numpy()
    if twice.any():
        place = int(twice.argmax())
        first = int((cell == cell[place]).argmax())
        asked = [f"{name} '{frame[name].iloc[place]}'" for name in _key(frame)]
        raise InputError(
            f"{_row(frame, place)}: {', '.join(asked)} was there before, in {_row(frame, first)}"
        )


def _key(frame: pd.DataFrame) -> list[str]:
    return [name for name in ("system", "seed", "item") if name in frame]


def _scores(frame: pd.DataFrame) -> NDArray[np.float64]:
    scores = pd.to_numeric(frame["score"], errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(scores)
    if wrong.any():
        place = int(wrong.argmax())
        text = frame["score"].iloc[place]
        raise InputError(f"{_row(frame, place)}: score '{text}' is no finite number")
    return scores


def _check_whole(
    grid: NDArray[np.float64], trainings: list[tuple[str, str]], items: list[str]
) -> None:
    lacking = np.argwhere(np.isnan(grid))
    if len(lacking):
        row, column = lacking[0]
        system, seed = trainings[row]
        name = f"system '{system}'" + (f", seed '{seed}'" if seed else "")
        more = f"; {len(lacking) - 1} more scores are missing" if len(lacking) > 1 else ""
        raise InputError(f"{name} has no score of item '{items[column]}'{more}")


def _clusters(
    frame: pd.DataFrame, item: NDArray[np.int64], items: int, cluster: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the cluster of each item."""
    if "cluster" not in frame:
        return np.arange(items)
    found = np.zeros(items, dtype=np.int64)
    found[item] = cluster
    other = found[item] != cluster
    if other.any():
        place = int(other.argmax())
        name = frame["item"].iloc[place]
        raise InputError(f"{_row(frame, place)}: item '{name}' has another cluster elsewhere")
    return found


def _row(frame: pd.DataFrame, place: int) -> str:
    """Name a row as its index does."""
    label: Hashable = frame.index[place]
    return f"{frame.index.name or 'row'} {label}"

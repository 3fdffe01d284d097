"""Whether a run's answers can be true, whatever their checksums say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import TOP as LONGEST_LIST
from benchmark.results.means import check_means
from benchmark.results.possible_requests import behind, catalogue, refuse
from benchmark.results.shared import SharedTable
from benchmark.results.table import blocks_of, check_fit

__all__ = ["check_answers"]

_ASKED = ("request", "gain", "candidates")


def check_answers(
    stated: Mapping[str, Mapping[str, Mapping[str, Any]]],
    shared: SharedTable,
    counts: pa.Table,
    top: pa.Table | None,
) -> None:
    """Check a run's answers against what it was asked, and the means that it states against both.

    Args:
        stated: ``metrics`` of ``run.json``.
        shared: what all runs were asked.
        counts: columns ``COUNTS``.
        top: columns ``TOP``, if the lists were kept.

    Raises:
        BenchmarkError: they cannot all be true.
    """
    own = blocks_of(counts)
    if {(task, name) for task, told in stated.items() for name in told} != own.keys():
        raise BenchmarkError("its metrics and its counts are not of the same tasks and protocols")
    check_fit(shared.blocks, own)
    asked, means = {}, {}
    for (task, protocol), rows in own.items():
        columns = {n: shared.table[n].to_numpy()[shared.blocks[task, protocol]] for n in _ASKED}
        columns |= {name: counts[name].to_numpy()[rows] for name in ("greater", "tied")}
        try:
            _check_places(columns, protocol)
        except BenchmarkError as error:
            raise BenchmarkError(f"{task} {protocol}, {error}") from None
        asked[f"{task} {protocol}"] = columns
        means[f"{task} {protocol}"] = stated[task][protocol]
    check_means(
        {f"{t} {p}": means for t, told in stated.items() for p, means in told.items()}, asked
    )
    if top is not None:
        _check_top(top, shared, own)


def _check_places(rows: Mapping[str, NDArray[Any]], protocol: str) -> None:
    """Check the places of the relevant items of one task and protocol.

    A relevant item that a list of candidates lacks stands behind all of them, level with none.

    Args:
        rows: ``request, greater, tied, candidates`` of each relevant item, ``[rows]``.
        protocol: how it was asked.

    Raises:
        BenchmarkError: a place that no list of so many candidates has, or places of a request that
            contradict each other.
    """
    request, greater, tied, candidates = (
        rows[name].astype(np.int64) for name in ("request", "greater", "tied", "candidates")
    )
    listed = (greater >= 0) & (tied >= 0) & (greater + tied < candidates)
    lacking = (greater == candidates) & (tied == 0) & (protocol != "full")
    _first(request, ~(listed | lacking), "places lie outside of the candidates")
    several = np.flatnonzero(listed & _one_of_several(request))
    order = several[np.lexsort((greater[several], request[several]))]
    request, greater, tied = request[order], greater[order], tied[order]
    same = np.diff(request, prepend=-1) == 0
    level = same & (np.diff(greater, prepend=-1) == 0)
    start = np.maximum.accumulate(np.where(level, 0, np.arange(len(order))))
    crowded = np.arange(len(order)) - start > tied
    uneven = level & (np.diff(tied, prepend=0) != 0)
    ends = np.roll(greater + tied, 1)
    within = same & ~level & (greater <= ends)
    _first(request, crowded | uneven | within, "places of its relevant items exclude each other")


def _check_top(top: pa.Table, shared: SharedTable, asked: Collection[tuple[str, str]]) -> None:
    """Check the lists of the best items, columns ``TOP``.

    Raises:
        BenchmarkError: a list of what was not asked, ranks other than 1, 2, …, 10, or an item that
            is listed twice or is not in the catalogue.
    """
    items, blocks = catalogue(shared.table, shared.blocks), blocks_of(top)
    request, rank, item = (top[n].to_numpy().astype(np.int64) for n in ("request", "rank", "item"))
    refuse(top, (item < 0) | (item >= items), "item is not in the catalogue")
    _, same = behind(request, blocks)
    wanted = np.where(same, np.roll(rank, 1) + 1, 1)
    refuse(top, (rank != wanted) | (rank > LONGEST_LIST), "ranks are not 1, 2, …")
    for name, rows in blocks.items():
        if name not in asked:
            raise BenchmarkError(f"lists answers of {' '.join(name)}, which was not asked")
        own = request[rows]
        known = np.isin(own, shared.table["request"].to_numpy()[shared.blocks[name]])
        _first(own, ~known, "was not asked")
        _first(own, np.diff(own, prepend=-1) < 0, "is not in order")
        order = np.lexsort((item[rows], own))
        pairs = np.stack([own, item[rows]])[:, order]
        _first(pairs[0], (np.diff(pairs, prepend=-1) == 0).all(axis=0), "lists an item twice")


def _one_of_several(request: NDArray[np.int64]) -> NDArray[np.bool_]:
    same = np.diff(request, prepend=-1) == 0
    return same | np.append(same[1:], False)


def _first(request: NDArray[Any], bad: NDArray[np.bool_], fault: str) -> None:
    if bad.any():
        raise BenchmarkError(f"request {int(request[bad.argmax()])}: {fault}")

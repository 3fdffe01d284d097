"""The tables of a run: what its requests are, how its answers count, and its top ten.

A reader sees one table with a row for each task, protocol, request and relevant item. It is stored
in two: what hangs on the data alone, the same for all runs on a data set, and a run's own counts.
Both have their rows in the same order, in blocks of one task and protocol.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset, EvaluationSet
from benchmark.data.easy import hard_requests
from benchmark.data.easy_rules import EasyRules
from benchmark.data.evaluation_set import PROTOCOLS, Protocol
from benchmark.data.keys import distinct
from benchmark.data.requests import PAD, Task
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import TaskOutcome

__all__ = [
    "ASKED",
    "COUNTS",
    "HARD",
    "SHARED",
    "TOP",
    "Blocks",
    "RunTables",
    "asked_table",
    "blocks_of",
    "check_fit",
    "counts_table",
    "digest_of",
    "joined",
    "same_requests",
    "shared_table",
    "top_table",
    "with_blocks",
]

ASKED = ["request", "user", "query", "item"]
"""The columns that tell a request and its relevant item."""

_BLOCK = [("task", pa.string()), ("protocol", pa.string())]
SHARED = pa.schema(
    [
        *_BLOCK,
        ("request", pa.int32()),
        ("user", pa.int32()),
        ("query", pa.int32()),
        ("item", pa.int32()),
        ("gain", pa.float32()),
        ("candidates", pa.int32()),
        ("query_kind", pa.string()),
        ("history", pa.int32()),
        ("item_events", pa.int32()),
    ]
)
"""What hangs on the data alone and every shared table has."""

HARD = pa.field("hard", pa.bool_())
"""Whether no easy rule answers the request, see :mod:`benchmark.data.easy`: a further column."""


COUNTS = pa.schema([*_BLOCK, ("greater", pa.int32()), ("tied", pa.int32())])
TOP = pa.schema([*_BLOCK, ("request", pa.int32()), ("rank", pa.uint8()), ("item", pa.int32())])

Blocks = dict[tuple[str, str], slice]
"""The rows of each task and protocol."""


@dataclass(frozen=True)
class RunTables:
    """What is stored of a run's answers.

    Attributes:
        shared: columns of ``SHARED``, for blocks that the run was asked and maybe others.
        counts: columns of ``COUNTS``; each block has as many rows as in ``shared``.
        top: columns of ``TOP``, or ``None`` where the lists are not kept.
    """

    shared: pa.Table
    counts: pa.Table
    top: pa.Table | None


@dataclass(frozen=True)
class _Asked:
    """A block of requests, before anybody answers."""

    dataset: Dataset
    evaluation: EvaluationSet
    protocol: Protocol

    def of_request(self, values: NDArray) -> NDArray:
        """Return values of requests, ``[requests]``, for each relevant item, ``[rows]``."""
        return values[self.evaluation.relevant.request]

    def candidates(self) -> NDArray[np.int64]:
        requests = self.evaluation.requests
        if self.protocol != "full":
            return self.evaluation.lists[self.protocol].lengths
        if not requests.exclude_seen:
            return np.full(len(requests), requests.items)
        offsets, seen = requests.seen()
        owner = np.repeat(np.arange(len(requests)), np.diff(offsets))
        owner = distinct(owner * requests.items + seen) // requests.items
        return requests.items - np.bincount(owner, minlength=len(requests))

    def item_events(self) -> NDArray[np.int64]:
        events = np.bincount(self.dataset.train.log.item, minlength=len(self.dataset.items))
        return events[self.evaluation.relevant.item]


_MAKERS: dict[str, Callable[[_Asked], NDArray]] = {
    "request": lambda asked: asked.evaluation.relevant.request,
    "user": lambda asked: asked.of_request(asked.evaluation.requests.user),
    "query": lambda asked: asked.of_request(asked.evaluation.requests.query),
    "item": lambda asked: asked.evaluation.relevant.item,
    "gain": lambda asked: asked.evaluation.relevant.gain,
    "candidates": lambda asked: asked.of_request(asked.candidates()),
    "query_kind": lambda asked: asked.of_request(np.array(asked.evaluation.requests.query_kinds())),
    "history": lambda asked: asked.of_request(asked.evaluation.requests.history_lengths()),
    "item_events": lambda asked: asked.item_events(),
}
"""Makes each column of a block of ``SHARED`` but task and protocol."""


def shared_table(dataset: Dataset) -> pa.Table:
    """Return what all runs on a data set have in common: columns ``SHARED`` and ``HARD``.

    Where the whole catalogue is not ranked there is no ``HARD``, which is about such rankings.
    """
    if not all(evaluation.full for evaluation in dataset.evaluation.values()):
        return asked_table(dataset)
    rules, hard = EasyRules(dataset), {}
    for (part, task), evaluation in dataset.evaluation.items():
        if part == "test":
            hard[task] = hard_requests(evaluation, dataset, rules)
    table = asked_table(dataset)
    parts = [
        hard[Task(task)][table["request"].to_numpy()[rows]]
        for (task, _), rows in blocks_of(table).items()
    ]
    column = np.concatenate([np.zeros(0, dtype=np.bool_), *parts])
    return table.append_column(HARD, pa.array(column))


def asked_table(dataset: Dataset, names: Collection[str] = tuple(_MAKERS)) -> pa.Table:
    """Return what a data set asks, columns ``SHARED``, or the named ones behind the first two."""
    schema = pa.schema([field for field in SHARED if field.name not in _MAKERS.keys() - set(names)])
    parts = [schema.empty_table()]
    for task in Task:
        evaluation = dataset.evaluation.get(("test", task))
        if evaluation is None:
            continue
        for protocol in evaluation.protocols:
            asked = _Asked(dataset, evaluation, protocol)
            rows = np.isin(evaluation.relevant.request, evaluation.asked(protocol))
            columns = {name: make(asked)[rows] for name, make in _MAKERS.items() if name in names}
            parts.append(_block(schema, task, protocol, columns))
    return pa.concat_tables(parts).combine_chunks()


def counts_table(outcomes: Sequence[TaskOutcome]) -> pa.Table:
    """Return the counts of a run, columns ``COUNTS``."""
    parts = [COUNTS.empty_table()]
    for outcome in _in_order(outcomes):
        columns = {"greater": outcome.counts.greater, "tied": outcome.counts.tied}
        parts.append(_block(COUNTS, outcome.task, outcome.protocol, columns))
    return pa.concat_tables(parts).combine_chunks()


def top_table(outcomes: Sequence[TaskOutcome]) -> pa.Table:
    """Return the best items, columns ``TOP``, ranks from 1; an empty place has no row."""
    parts = [TOP.empty_table()]
    for outcome in _in_order(outcomes):
        row, place = np.nonzero(outcome.top != PAD)
        columns: dict[str, NDArray] = {
            "request": outcome.requests[row],
            "rank": place + 1,
            "item": outcome.top[row, place],
        }
        parts.append(_block(TOP, outcome.task, outcome.protocol, columns))
    return pa.concat_tables(parts).combine_chunks()


def with_blocks(older: pa.Table, newer: pa.Table) -> pa.Table:
    """Return the blocks of both; of a block that both have, the newer one counts."""
    parts = {
        name: table.slice(rows.start, rows.stop - rows.start)
        for table in (older, newer)
        for name, rows in blocks_of(table).items()
    }
    ordered = [parts[name] for name in sorted(parts, key=_place)]
    return pa.concat_tables([newer.slice(0, 0), *ordered]).combine_chunks()


def _place(name: tuple[str, str]) -> tuple[int, int]:
    task, protocol = name
    return list(Task).index(Task(task)), [str(p) for p in PROTOCOLS].index(protocol)


def _in_order(outcomes: Sequence[TaskOutcome]) -> list[TaskOutcome]:
    return sorted(outcomes, key=lambda o: _place((str(o.task), o.protocol)))


def _block(
    schema: pa.Schema, task: Task, protocol: Protocol, columns: dict[str, NDArray]
) -> pa.Table:
    size = len(next(iter(columns.values())))
    block = {"task": [str(task)] * size, "protocol": [protocol] * size}
    arrays = [
        pa.array(block.get(field.name, columns.get(field.name))).cast(field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def blocks_of(table: pa.Table) -> Blocks:
    """Return where the rows of each task and protocol stand, in their order.

    Raises:
        BenchmarkError: the rows of one stand apart.
    """
    encoded = [table[name].combine_chunks().dictionary_encode() for name in ("task", "protocol")]
    tasks, protocols = (column.indices.to_numpy(zero_copy_only=False) for column in encoded)
    new = np.ones(len(table), dtype=np.bool_)
    new[1:] = (np.diff(tasks) != 0) | (np.diff(protocols) != 0)
    bounds = [*np.flatnonzero(new).tolist(), len(table)]
    starts = pa.array(bounds[:-1], pa.int64())
    words = [table[name].take(starts).to_pylist() for name in ("task", "protocol")]
    rows = [slice(*pair) for pair in pairwise(bounds)]
    blocks = dict(zip(zip(*words, strict=True), rows, strict=True))
    if len(blocks) < len(rows):
        raise BenchmarkError("the rows of a task and protocol stand apart")
    return blocks


def joined(shared: pd.DataFrame, blocks: Blocks, counts: pa.Table) -> pd.DataFrame:
    """Return one table of both, with the blocks that ``counts`` has.

    Args:
        shared: columns of ``SHARED``.
        blocks: its blocks.
        counts: columns of ``COUNTS``.

    Raises:
        BenchmarkError: the blocks do not fit.
    """
    own = blocks_of(counts)
    check_fit(blocks, own)
    rows = shared
    if list(own) != list(blocks):
        places = [np.arange(blocks[name].start, blocks[name].stop) for name in own]
        rows = shared.iloc[np.concatenate([np.arange(0), *places])].reset_index(drop=True)
    place = rows.columns.get_loc("candidates")
    names = [*rows.columns[:place], "greater", "tied", *rows.columns[place:]]
    return rows.assign(**{n: counts[n].to_numpy() for n in ("greater", "tied")})[names]


def check_fit(shared: Blocks, own: Blocks) -> None:
    """Check that all own blocks are shared, with as many rows.

    Raises:
        BenchmarkError: they are not.
    """
    if any(_size(rows) != _size(shared.get(name, slice(0, 0))) for name, rows in own.items()):
        raise BenchmarkError("its counts are not those of the requests that all runs share")


def _size(rows: slice) -> int:
    return int(rows.stop - rows.start)


def same_requests(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    """Return whether two tables of counts stand, row for row, for the same requests."""
    return first[ASKED].equals(second[ASKED])


def digest_of(table: pa.Table) -> str:
    """Return the SHA-256 (hex) over a table's content, whatever the file would look like."""
    total = hashlib.sha256()
    for field in table.schema:
        total.update(f"{field.name} {field.type} {len(table)}\n".encode())
        column = table[field.name].combine_chunks()
        if pa.types.is_string(field.type):
            column = column.dictionary_encode()
            total.update("\0".join(column.dictionary.to_pylist()).encode())
            column = column.indices
        values = column.to_numpy(zero_copy_only=False)
        total.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()

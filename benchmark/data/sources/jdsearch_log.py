"""The log of JDsearch: a line a user, lists of equal length in each, as columns of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.files.codes import coded
from benchmark.data.sources.files.delimited import Layout, delimited
from benchmark.data.sources.files.lines import Lines
from benchmark.data.sources.jdsearch_products import BETWEEN_TERMS
from benchmark.data.sources.jdsearch_rules import JDsearchRules
from benchmark.data.sources.source import TEST, TRAINING, Interactions

__all__ = ["FIELDS", "read_log"]

FIELDS = (
    "query",
    "candidate_wid_list",
    "candidate_label_list",
    "history_qry_list",
    "history_wid_list",
    "history_type_list",
    "history_time_list",
)
LAYOUT = Layout(dict.fromkeys(FIELDS, pa.string()), "\t", header=None, latin_1=False)
TYPES: tuple[Literal["CLICK", "CART", "ORD", "FLW"], ...] = ("CLICK", "CART", "ORD", "FLW")
_LABEL = r"^[0-3](\.0+)?$"
_GAP = r"^[0-9]{1,10}(\.0+)?$"
_NO_QUERY = "-1"


@dataclass(frozen=True)
class _Lists:
    """A field of lists: their lengths, ``[lines]``, and all their members."""

    lengths: NDArray[np.int64]
    members: pa.Array

    @classmethod
    def of(cls, column: pa.Array) -> _Lists:
        lists = pc.split_pattern(column, "_")
        lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
        empty = pc.equal(column, "").to_numpy(zero_copy_only=False)
        members = lists.flatten().filter(pa.array(np.repeat(~empty, lengths)))
        return cls(np.where(empty, 0, lengths), members)

    @property
    def owner(self) -> NDArray[np.int64]:
        """The line of each member."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def lines_with(self, odd: pa.Array) -> NDArray[np.bool_]:
        """Return the lines that have a member where ``odd`` (``[members]``) holds."""
        flags = odd.to_numpy(zero_copy_only=False).astype(np.bool_)
        return np.bincount(self.owner[flags], minlength=len(self.lengths)) > 0


@dataclass
class _Columns:
    """Columns of events, block by block."""

    item: list[pa.Array] = field(default_factory=list)
    query: list[pa.Array] = field(default_factory=list)
    line: list[NDArray[np.int64]] = field(default_factory=list)
    time: list[NDArray[np.int64]] = field(default_factory=list)
    session: list[NDArray[np.int64]] = field(default_factory=list)
    grade: list[NDArray[np.float32]] = field(default_factory=list)
    part: list[NDArray[np.uint8]] = field(default_factory=list)


def read_log(
    path: Path, rules: JDsearchRules, cleaning: Cleaning, notes: list[str]
) -> Interactions:
    """Read what users did, and what they were shown for the test query.

    Lines whose lists do not fit together are left out. Of a line without a label above 0 the
    history stays, and trains; the test query is not asked.

    Args:
        path: the file.
        rules: of the card.
        cleaning: is told what is left out.
        notes: gets a line for what the rules decide.

    Raises:
        InputError: the file cannot be read, or no line of it.
    """
    lines, columns = Lines(path), _Columns()
    counts = np.zeros(3, dtype=np.int64)
    for numbers, table in delimited(lines, LAYOUT):
        number, whole = _sound(lines, numbers, table)
        if len(number):
            counts += _append(columns, number, whole, rules)
    lines.tell(cleaning)
    users, unasked, tied = counts.tolist()
    if unasked:
        notes.append(f"{unasked} of {users} test queries have no label above 0 and are not asked")
    if tied:
        notes.append(
            f"{tied} of {users} test queries are of the moment of the event before (gap 0), which"
            " is in no safe history (rule time)"
        )
    return _interactions(path, columns, steps=1 if rules.time == "gaps" else 0)


def _sound(
    lines: Lines, number: NDArray[np.int64], table: pa.Table
) -> tuple[NDArray[np.int64], pa.Table]:
    """Return the lines whose lists fit together and hold what they should."""
    if not len(number):
        return number, table
    table = table.combine_chunks()
    column = {name: table.column(name).chunk(0) for name in FIELDS}
    shown, label, queries, items, types, gaps = (_Lists.of(column[name]) for name in FIELDS[1:])
    asks = label.lines_with(pc.match_substring_regex(label.members, r"^[1-3]"))
    query = pc.is_in(column["query"], value_set=pa.array(["", _NO_QUERY]))
    length = items.lengths
    faults = (
        (shown.lengths != label.lengths, "as many labels as candidates are wanted"),
        (
            (queries.lengths != length) | (types.lengths != length),
            "as many queries and types as products are wanted in the history",
        ),
        (gaps.lengths != length + 1, "one gap more than products is wanted in the history"),
        (
            label.lines_with(pc.invert(pc.match_substring_regex(label.members, _LABEL))),
            "a label is not 0, 1, 2 or 3",
        ),
        (
            gaps.lines_with(pc.invert(pc.match_substring_regex(gaps.members, _GAP))),
            "a gap is no whole number of at most 10 digits",
        ),
        (
            types.lines_with(pc.invert(pc.is_in(types.members, value_set=pa.array(TYPES)))),
            f"a type is none of {', '.join(TYPES)}",
        ),
        (
            shown.lines_with(pc.equal(shown.members, ""))
            | items.lines_with(pc.equal(items.members, ""))
            | queries.lines_with(pc.equal(queries.members, "")),
            "a product or query of a list is empty",
        ),
        (
            asks & query.to_numpy(zero_copy_only=False).astype(np.bool_),
            "there is no test query",
        ),
    )
    good = np.ones(len(number), dtype=np.bool_)
    for odd, fault in faults:
        bad = odd & good
        if bad.any():
            lines.leave_out(int(number[np.argmax(bad)]), fault, int(bad.sum()))
            good &= ~bad
    return (number, table) if good.all() else (number[good], table.filter(pa.array(good)))


def _append(
    columns: _Columns, number: NDArray[np.int64], table: pa.Table, rules: JDsearchRules
) -> NDArray[np.int64]:
    """Append the events of sound lines.

    Returns:
        The number of lines, of those that ask for nothing, and of those whose test query has the
        time of the event before.
    """
    table = table.combine_chunks()
    column = {name: table.column(name).chunk(0) for name in FIELDS}
    shown, label, queries, items, types, gaps = (_Lists.of(column[name]) for name in FIELDS[1:])
    times = _times(gaps, rules)
    last = np.cumsum(gaps.lengths) - 1
    in_history = np.ones(len(times), dtype=np.bool_)
    in_history[last] = False
    grades = label.members.cast(pa.float64()).to_numpy().astype(np.float32)
    asks = np.bincount(label.owner[grades > 0], minlength=len(number)) > 0

    kind = pc.index_in(types.members, value_set=pa.array(TYPES)).to_numpy()
    grade = np.array([rules.grades.get(name, 0) for name in TYPES], dtype=np.float32)[kind]
    taken = grade > 0
    _add(
        columns,
        number[items.owner][taken],
        items.members.filter(pa.array(taken)),
        queries.members.filter(pa.array(taken)),
        times[in_history][taken],
        grade[taken],
        _runs(queries, rules)[taken],
        TRAINING,
    )
    asked = asks[shown.owner]
    owner = shown.owner[asked]
    _add(
        columns,
        number[owner],
        shown.members.filter(pa.array(asked)),
        column["query"].take(pa.array(owner)),
        times[last][owner],
        grades[asked],
        np.zeros(len(owner), dtype=np.int64),
        TEST,
    )
    before = np.where(items.lengths > 0, times[last - 1], -1)
    tied = asks & (before == times[last])
    return np.array([len(number), (~asks).sum(), tied.sum()])


def _add(
    columns: _Columns,
    line: NDArray[np.int64],
    item: pa.Array,
    query: pa.Array,
    time: NDArray[np.int64],
    grade: NDArray[np.float32],
    session: NDArray[np.int64],
    part: int,
) -> None:
    columns.line.append(line)
    columns.item.append(item.dictionary_encode())
    columns.query.append(pc.replace_substring(query, BETWEEN_TERMS, " ").dictionary_encode())
    columns.time.append(time)
    columns.grade.append(grade)
    columns.session.append(session)
    columns.part.append(np.full(len(line), part, dtype=np.uint8))


def _times(gaps: _Lists, rules: JDsearchRules) -> NDArray[np.int64]:
    """Return the time of every event and test query, counted from its user's first."""
    if rules.time == "gaps":
        steps = gaps.members.cast(pa.float64()).to_numpy().astype(np.int64)
    else:
        steps = np.ones(len(gaps.members), dtype=np.int64)
    total = np.cumsum(steps)
    first = np.cumsum(gaps.lengths) - gaps.lengths
    return total - np.repeat(total[first], gaps.lengths)


def _runs(queries: _Lists, rules: JDsearchRules) -> NDArray[np.int64]:
    """Return the number of each event's search among its user's, from 1; 0 where it has none."""
    words = queries.members
    if rules.sessions == "none" or not len(words):
        return np.zeros(len(words), dtype=np.int64)
    code = words.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    owner = queries.owner
    new = np.ones(len(code), dtype=np.int64)
    new[1:] = (np.diff(code) != 0) | (np.diff(owner) != 0)
    number = np.cumsum(new)
    first = np.cumsum(queries.lengths) - queries.lengths
    run = number - number[np.minimum(first, len(number) - 1)][owner] + 1
    searched = pc.not_equal(words, _NO_QUERY).to_numpy(zero_copy_only=False)
    return np.where(searched, run, 0)


def _interactions(path: Path, columns: _Columns, steps: int) -> Interactions:
    item, items = coded(columns.item)
    query, queries = coded(columns.query)
    none = pc.index(queries, _NO_QUERY).as_py()
    if none >= 0:
        queries = pa.concat_arrays([queries.slice(0, none), queries.slice(none + 1)])
        query = np.where(query == none, -1, query - (query > none)).astype(np.int32)
    line = np.concatenate([*columns.line, np.zeros(0, dtype=np.int64)])
    run = np.concatenate([*columns.session, np.zeros(0, dtype=np.int64)])
    part = np.concatenate([*columns.part, np.zeros(0, dtype=np.uint8)])
    run[part == TEST] = run.max(initial=0) + 1
    numbers, user = np.unique(line, return_inverse=True)
    session, sessions = _sessions(line, run)
    return Interactions(
        user=user.astype(np.int32),
        item=item,
        time=np.concatenate([*columns.time, np.zeros(0, dtype=np.int64)]),
        query=query,
        session=session,
        users=pa.array(numbers).cast(pa.string()),
        items=items,
        queries=queries,
        sessions=sessions,
        row=line,
        origin=lambda row: (path, row),
        steps=steps,
        grade=np.concatenate([*columns.grade, np.zeros(0, dtype=np.float32)]),
        part=part,
    )


def _sessions(
    line: NDArray[np.int64], run: NDArray[np.int64]
) -> tuple[NDArray[np.int32], pa.Array]:
    """Return codes and names of the searches that several events may belong to."""
    most = int(run.max(initial=0)) + 1
    keys, code = np.unique(np.where(run > 0, line * most + run, 0), return_inverse=True)
    if len(keys) and keys[0] == 0:
        keys, code = keys[1:], code - 1
    user, number = (pa.array(k).cast(pa.string()) for k in (keys // most, keys % most))
    return code.astype(np.int32), pc.binary_join_element_wise(user, number, ".")

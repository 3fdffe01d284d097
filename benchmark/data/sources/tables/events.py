"""The events of a table: read in batches, then left out, graded and grouped by the rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.source import Interactions
from benchmark.data.sources.tables.alike import written_alike
from benchmark.data.sources.tables.cells import CellError, as_numbers
from benchmark.data.sources.tables.coded import Coded
from benchmark.data.sources.tables.rules import TableRules
from benchmark.data.sources.tables.table import Table
from benchmark.data.sources.tables.times import Clock, Times
from benchmark.data.sources.tables.visits import core, sessions_by_gap
from benchmark.errors import did_you_mean
from benchmark.plain_text import plain

__all__ = ["blaming_cells", "read_events"]

_CODED = ("user", "item", "query", "session", "type")
_GRADES = (1e-6, 1e6)
"""The grades that sums in single precision tell apart."""


@dataclass(frozen=True)
class _Rows:
    """Columns ``[rows]``, as they were read.

    Attributes:
        codes: by role, int32, -1 where nothing is.
        ids: by role, distinct.
        numbers: by role, ``grade`` and ``rating``: values, and which are missing.
        time: of each row.
        row: int64, its place in the table.
    """

    codes: dict[str, NDArray[np.int32]]
    ids: dict[str, pa.Array]
    numbers: dict[str, tuple[NDArray, NDArray[np.bool_]]]
    time: Times
    row: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def only(self, keep: NDArray[np.bool_]) -> _Rows:
        """Return the rows where ``keep`` holds."""
        if keep.all():
            return self
        time = replace(self.time, time=self.time.time[keep], missing=self.time.missing[keep])
        return _Rows(
            {role: codes[keep] for role, codes in self.codes.items()},
            self.ids,
            {role: (v[keep], none[keep]) for role, (v, none) in self.numbers.items()},
            time,
            self.row[keep],
        )


def read_events(
    table: Table, rules: TableRules, cleaning: Cleaning, listed: pa.Array | None = None
) -> Interactions:
    """Return the events that the rules let stay.

    Args:
        table: of the events.
        rules: of the card.
        cleaning: is told what is left out and how things were read.
        listed: ids of the items that are listed, where there is a file of them; events of others
            are left out.

    Raises:
        InputError: a column is missing, a cell is no time or number, or no event is left.
    """
    rows = _read(table, rules)
    if not len(rows):
        raise complain(table.path, None, "the table holds no events")
    cleaning.notes.extend(f"{plain(table.path.name, 80)}: {note}" for note in rows.time.notes)
    rows = _whole(rows, table, cleaning)
    rows, graded = _counted(rows, table, rules, cleaning)
    rows, grade = _graded(rows, table, rules, cleaning, graded)
    if listed is not None:
        rows, grade = _listed(rows, grade, table, cleaning, listed)
    session, sessions = _sessions(rows, table, rules)
    found = Interactions(
        user=rows.codes["user"],
        item=rows.codes["item"],
        time=rows.time.time,
        query=rows.codes["query"],
        session=session,
        users=rows.ids["user"],
        items=rows.ids["item"],
        queries=rows.ids["query"],
        sessions=sessions,
        row=rows.row,
        origin=lambda row: (table.path, table.line(row)),
        steps=rows.time.second or 1,
        grade=grade,
    )
    return _core(found, table, rules, cleaning).compact()


@contextmanager
def blaming_cells(table: Table, column: str, start: int) -> Iterator[None]:
    """Turn what is wrong with a cell into one line.

    Args:
        table: that is read.
        column: its name.
        start: the row that the cells which are looked at begin on.

    Raises:
        InputError: a ``CellError`` was raised inside, or Arrow does not know the type.
    """
    try:
        yield
    except CellError as error:
        line = None if error.row is None else table.line(start + error.row)
        raise complain(table.path, line, f"column '{plain(column, 40)}' {error}") from None
    except pa.ArrowException as error:
        said = str(error).partition("\n")[0][:120]
        raise complain(
            table.path, None, f"column '{plain(column, 40)}' cannot be read: {said}"
        ) from None


def _read(table: Table, rules: TableRules) -> _Rows:
    named, none = rules.columns.named(), rules.missing
    table.need(list(named.values()))
    coded = {role: Coded(none) for role in _CODED if role in named}
    numbers: dict[str, list[tuple[NDArray, NDArray[np.bool_]]]]
    numbers = {role: [] for role in ("grade", "rating") if role in named}
    clock, rows = Clock(rules.time, none), 0
    for batch in table.read(list(named.values())):
        for role, name in named.items():
            with blaming_cells(table, name, rows):
                if role in coded:
                    coded[role].add(batch[name])
                elif role == "time":
                    clock.add(batch[name])
                else:
                    numbers[role].append(as_numbers(batch[name], none))
        rows += len(next(iter(batch.values())))
    if "time" in named:
        with blaming_cells(table, named["time"], 0):
            time = clock.finish(table.line)
    else:
        note = "no column is named for the time; the order of the rows stands for it"
        time = Times(np.arange(rows), np.zeros(rows, np.bool_), None, (note,))
    codes, ids = {}, {}
    for role in _CODED:
        empty = np.full(rows, -1, dtype=np.int32), pa.array([], pa.large_string())
        codes[role], ids[role] = coded[role].finish() if role in coded else empty
    joined = {
        role: (np.concatenate([v for v, _ in parts]), np.concatenate([m for _, m in parts]))
        for role, parts in numbers.items()
        if parts
    }
    return _Rows(codes, ids, joined, time, np.arange(rows))


def _report(
    rows: _Rows, lost: NDArray[np.bool_], table: Table, fault: str, cleaning: Cleaning
) -> _Rows:
    """Leave rows out, and say so."""
    if not lost.any():
        return rows
    count = f"{lost.sum()} of {len(lost)} events"
    line = table.line(int(rows.row[np.argmax(lost)]))
    if lost.all():
        raise complain(table.path, line, f"{fault} ({count}); no event is left")
    cleaning.report(table.path, line, fault, count, "they are left out")
    return rows.only(~lost)


def _whole(rows: _Rows, table: Table, cleaning: Cleaning) -> _Rows:
    """Leave out what has no user, item or time."""
    rows = _report(rows, rows.codes["user"] < 0, table, "there is no user", cleaning)
    rows = _report(rows, rows.codes["item"] < 0, table, "there is no item", cleaning)
    return _report(rows, rows.time.missing, table, "there is no time", cleaning)


def _counted(
    rows: _Rows, table: Table, rules: TableRules, cleaning: Cleaning
) -> tuple[_Rows, NDArray[np.float64] | None]:
    """Leave out types that do not count and ratings too low; return the grades by type."""
    graded = None
    if rules.events:
        rows, graded = _by_type(rows, table, rules, cleaning)
    if rules.at_least.rating is not None:
        values, none = rows.numbers["rating"]
        keep = ~none & (values >= rules.at_least.rating)
        if not keep.any():
            text = f"no rating is {rules.at_least.rating:g} or more; no event is left"
            raise complain(table.path, None, text)
        cleaning.notes.append(
            f"{plain(table.path.name, 80)}: {(~keep).sum()} of {len(keep)} events are rated below"
            f" {rules.at_least.rating:g}, or not at all, and left out"
        )
        rows, graded = rows.only(keep), None if graded is None else graded[keep]
    return rows, graded


def _by_type(
    rows: _Rows, table: Table, rules: TableRules, cleaning: Cleaning
) -> tuple[_Rows, NDArray[np.float64]]:
    names = rows.ids["type"].to_pylist() if len(rows.ids["type"]) < 10**6 else []
    place, code = plain(table.path.name, 80), rows.codes["type"]
    kinds = [rules.events.get(name) for name in names]
    for name in rules.events:
        if name not in names:
            known = did_you_mean(name, map(plain, names))
            cleaning.notes.append(f"{place}: no event is of type '{plain(name, 40)}'{known}")
    count = np.bincount(code + 1, minlength=len(names) + 1)
    other = {name: count[i + 1] for i, name in enumerate(names) if kinds[i] is None}
    if count[0]:
        other["(none)"] = count[0]
    if other:
        most = sorted(other.items(), key=lambda each: -each[1])[:5]
        told = ", ".join(f"'{plain(name, 40)}' {number}" for name, number in most)
        cleaning.notes.append(
            f"{place}: {sum(other.values())} of {len(code)} events are of types that the card's"
            f" rules do not name and left out ({told}{', …' if len(other) > 5 else ''})"
        )
    keep = np.append([each is not None for each in kinds], False)[code]
    if not keep.any():
        raise complain(table.path, None, "no event is of a type that the card's rules name")
    rows = rows.only(keep)
    code = rows.codes["type"]
    search = [None if each is None else each.search for each in kinds]
    never = np.array([each is False for each in search])[code]
    query = np.where(never, np.int32(-1), rows.codes["query"])
    rows = replace(rows, codes={**rows.codes, "query": query})
    lost = np.array([each is True for each in search])[code] & (query < 0)
    rows = _report(rows, lost, table, "a search has no query", cleaning)
    grade = np.array([0.0 if each is None else each.grade for each in kinds])
    return rows, grade[rows.codes["type"]]


def _graded(
    rows: _Rows,
    table: Table,
    rules: TableRules,
    cleaning: Cleaning,
    graded: NDArray[np.float64] | None,
) -> tuple[_Rows, NDArray[np.float32] | None]:
    """Return the rows that have a grade where a column tells it, and the grades."""
    if rules.columns.grade is not None:
        missing = rows.numbers["grade"][1]
        rows = _report(rows, missing, table, "there is no grade", cleaning)
        graded = rows.numbers["grade"][0].astype(np.float64)
    if graded is None:
        return rows, None
    bad = ~((graded == 0) | ((graded >= _GRADES[0]) & (graded <= _GRADES[1])))
    if bad.any():
        low, high = _GRADES
        text = f"a grade must be 0 for shown and not taken, else from {low:g} to {high:g}"
        line = table.line(int(rows.row[np.argmax(bad)]))
        raise complain(table.path, line, f"{text} ({bad.sum()} of {len(bad)} events)")
    return rows, graded.astype(np.float32)


def _listed(
    rows: _Rows,
    grade: NDArray[np.float32] | None,
    table: Table,
    cleaning: Cleaning,
    listed: pa.Array,
) -> tuple[_Rows, NDArray[np.float32] | None]:
    ids = rows.ids["item"]
    known = pc.is_in(ids, value_set=listed.cast(ids.type)).to_numpy(zero_copy_only=False)
    lost = ~known[rows.codes["item"]]
    if not lost.any():
        return rows, grade
    first = plain(ids[int(rows.codes["item"][np.argmax(lost)])].as_py(), 40)
    fault = f"item '{first}' is not in the table of items"
    if (other := written_alike(first, listed)) is not None:
        fault += f", but '{plain(other, 40)}' is: write the ids alike in both"
    rows = _report(rows, lost, table, fault, cleaning)
    return rows, None if grade is None else grade[~lost]


def _sessions(rows: _Rows, table: Table, rules: TableRules) -> tuple[NDArray[np.int32], pa.Array]:
    if rules.session_gap is None:
        return rows.codes["session"], rows.ids["session"]
    if rows.time.second is None:
        text = "session_gap needs times of a clock, and these are positions"
        raise complain(table.path, None, text)
    gap = rules.session_gap * rows.time.second
    return sessions_by_gap(rows.codes["user"], rows.time.time, rows.ids["user"], gap)


def _core(inter: Interactions, table: Table, rules: TableRules, cleaning: Cleaning) -> Interactions:
    least = rules.at_least
    if least.user == least.item == 1:
        return inter
    counts = np.ones(len(inter.user), np.bool_) if inter.grade is None else inter.grade > 0
    keep = core(inter.user, inter.item, counts, least.user, least.item)
    wanted = f"{least.user} events of a user and {least.item} of an item"
    if not keep.any():
        raise complain(table.path, None, f"no event is left where {wanted} are needed")
    if keep.all():
        return inter
    left = inter.only(keep)
    cleaning.notes.append(
        f"{plain(table.path.name, 80)}: where {wanted} are needed, {keep.sum()} of {len(keep)}"
        f" rows stay, of {len(np.unique(left.user))} of {len(np.unique(inter.user))} users and"
        f" {len(np.unique(left.item))} of {len(np.unique(inter.item))} items"
    )
    return left

"""Reader of TREC run files: one pass over the lines, and a precise complaint about the first fault.

Fields may be separated by any whitespace. Items are ranked by their scores; the columns ``Q0`` and
tag are not looked at, and ranks only for remarks. Ids of items may be encoded, as an export writes
them, or stand as they are; where a name is the one for one item and the other for another, the
rest of the file tells which is meant, or the file is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.data.recognise import HEAD, foreign_text, is_json, recognise, separator
from benchmark.data.requests import Task
from benchmark.data.sources.diagnose import LONGEST_LINE, complain, open_file
from benchmark.errors import InputError
from benchmark.exchange.trec_write import item_ids, request_ids
from benchmark.plain_text import plain

__all__ = ["Listing", "read_listing"]

_BLOCK = 8 * 2**20
_FIELDS = "request Q0 item rank score tag"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Listing:
    """The lines of a run file in file order.

    Attributes:
        request: int32 ``[lines]``, number of the request.
        item: int32 ``[lines]``, row of the item in the catalogue.
        score: float64 ``[lines]``, finite.
        rank: float64 ``[lines]``, as written; NaN where it is no number.
        line: int64 ``[lines]``, the line of the file, from 1.
        sha256: of the whole file, in hex.
    """

    request: NDArray[np.int32]
    item: NDArray[np.int32]
    score: NDArray[np.float64]
    rank: NDArray[np.float64]
    line: NDArray[np.int64]
    sha256: str


def read_listing(path: Path, task: Task, requests: int, items: Sequence[str]) -> Listing:
    """Read a run file.

    Args:
        path: the file.
        task: whose requests it answers.
        requests: number of requests of the task.
        items: ids of the catalogue.

    Raises:
        InputError: anything wrong with the file; the message names file, line and field.
    """
    reader = _Reader(path, task, requests, items)
    digest = hashlib.sha256()
    before, parts = 0, []
    with open_file(path, pipes=True) as file:
        while lines := file.readlines(_BLOCK):
            digest.update(b"".join(lines))
            if before == 0:
                if (what := recognise(b"".join(lines)[:HEAD], "a TREC run")) is not None:
                    raise complain(path, None, what)
                lines[0] = lines[0].removeprefix(_BOM)
            parts.append(reader.parse(lines, before + 1))
            before += len(lines)
    if not any(len(part[0]) for part in parts):
        raise complain(path, None, f"the file is empty; its lines must read: {_FIELDS}")
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    request, name, score, rank, line = columns
    item = reader.items_of(name, line)
    listing = Listing(request, item, score, rank, line, digest.hexdigest())
    reader.check_distinct(listing)
    return listing


class _Names:
    """What the items of a catalogue may be called.

    Attributes:
        number: the numbers of the names.
        plainly: int32 ``[names]``, row of the item whose id the name is, -1 where none.
        encoded: int32 ``[names]``, row of the item whose encoded id the name is, -1 where none.
    """

    def __init__(self, items: Sequence[str]) -> None:
        as_written = [name.encode() for name in item_ids(items).to_pylist()]
        as_they_are = [name.encode() for name in items]
        names = dict.fromkeys((*as_they_are, *as_written))
        self.number = {name: number for number, name in enumerate(names)}
        self.plainly, self.encoded = (self._rows(each) for each in (as_they_are, as_written))

    def _rows(self, names: Sequence[bytes]) -> NDArray[np.int32]:
        rows = np.full(len(self.number), -1, dtype=np.int32)
        rows[[self.number[name] for name in names]] = np.arange(len(names))
        return rows


class _Reader:
    def __init__(self, path: Path, task: Task, requests: int, items: Sequence[str]) -> None:
        self._path, self._items = path, items
        asked = request_ids(task, np.arange(requests)).to_pylist()
        self._bounds = f"{asked[0]} to {asked[-1]}"
        self._request = {name.encode(): row for row, name in enumerate(asked)}
        self._names = _Names(items)

    def parse(self, lines: list[bytes], first: int) -> tuple[NDArray, ...]:
        """Return request, item's name, score, rank and line of the lines that are not blank."""
        rows, numbers, fault = [], [], None
        for number, raw in enumerate(lines, first):
            fields = raw.split()
            fault = _fault(raw, fields)
            if fault is not None:
                break
            if fields:
                rows.append(fields)
                numbers.append(number)
        size = len(rows)
        request = np.fromiter((self._request.get(r[0], -1) for r in rows), np.int32, size)
        name = np.fromiter((self._names.number.get(r[2], -1) for r in rows), np.int32, size)
        score = np.fromiter((_number(r[4]) for r in rows), np.float64, size)
        bad = np.flatnonzero((request < 0) | (name < 0) | np.isnan(score))
        if len(bad):
            raise self._complaint(numbers[bad[0]], rows[bad[0]])
        if fault is not None:
            raise complain(self._path, number, fault)
        rank = np.fromiter((_number(r[3]) for r in rows), np.float64, size)
        return request, name, score, rank, np.array(numbers, dtype=np.int64)

    def items_of(self, name: NDArray[np.int32], line: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the rows in the catalogue of the names that a whole file gives, line by line."""
        plainly, encoded = self._names.plainly[name], self._names.encoded[name]
        doubtful = (plainly >= 0) & (encoded >= 0) & (plainly != encoded)
        if not doubtful.any():
            return np.where(plainly >= 0, plainly, encoded)
        tells = {"plainly": bool((encoded < 0).any()), "encoded": bool((plainly < 0).any())}
        if tells["plainly"] == tells["encoded"]:
            first = int(np.argmax(doubtful))
            one, other = (plain(self._items[rows[first]], 40) for rows in (plainly, encoded))
            text = (
                f"'{one}' is the id of an item, and '{other}' percent-encoded; write every '%' and"
                " whitespace of ids encoded ('%25', '%20') in the whole file, or none"
            )
            raise complain(self._path, int(line[first]), text)
        return plainly if tells["plainly"] else encoded

    def check_distinct(self, listing: Listing) -> None:
        key = listing.request.astype(np.int64) * len(self._items) + listing.item
        order = np.argsort(key, kind="stable")
        again = np.flatnonzero(np.diff(key[order]) == 0)
        if len(again):
            second = again[np.argmin(order[again + 1])]
            before, line = listing.line[order[[second, second + 1]]].tolist()
            item = plain(self._items[listing.item[order[second]]], 40)
            text = f"item '{item}' is already on line {before} for this request; keep one of them"
            raise complain(self._path, line, text)

    def _complaint(self, line: int, fields: list[bytes]) -> InputError:
        request, _, item, _, score, _ = (plain(field.decode(), 40) for field in fields)
        if fields[0] not in self._request:
            text = f"unknown request id '{request}'; they are {self._bounds}, as exported"
        elif fields[2] not in self._names.number:
            text = (
                f"unknown item '{item}'; write ids as the data set does, with whitespace, control"
                " characters and '%' percent-encoded"
            )
        else:
            text = f"score '{score}' is not a finite number"
        return complain(self._path, line, text)


def _fault(raw: bytes, fields: list[bytes]) -> str | None:
    """Return what is wrong with the bytes of a line."""
    if len(raw) > LONGEST_LINE:
        return f"the line is longer than {LONGEST_LINE:,} bytes; shorten it"
    if b"\0" in raw:
        return "the line holds a NUL byte; remove it"
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is {foreign_text(raw)}"
    if is_json(text):
        return f"the line is JSON; a TREC run has {_FIELDS}"
    if len(fields) == 1:
        how = separator(text, "blanks", lambda parts: len(parts) == 6)
        return how or f"1 field where a TREC run has 6: {_FIELDS}"
    if fields and len(fields) != 6:
        return f"{len(fields)} fields where a TREC run has 6: {_FIELDS}"
    return None


def _number(field: bytes) -> float:
    """Return the number that is written, NaN if it is no finite one."""
    try:
        value = float(field)
    except ValueError:
        return nan
    return value if isfinite(value) and b"_" not in field else nan

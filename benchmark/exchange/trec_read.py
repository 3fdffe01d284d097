"""Reader of TREC run files: one pass over the lines, and a precise complaint about the first fault.

Fields may be separated by any whitespace. Items are ranked by their scores; the columns ``Q0`` and
tag are not looked at, and ranks only for remarks.
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
    request, item, score, rank, line = columns
    listing = Listing(request, item, score, rank, line, digest.hexdigest())
    reader.check_distinct(listing)
    return listing


class _Reader:
    def __init__(self, path: Path, task: Task, requests: int, items: Sequence[str]) -> None:
        self._path, self._items = path, items
        asked = request_ids(task, np.arange(requests)).to_pylist()
        self._bounds = f"{asked[0]} to {asked[-1]}"
        self._request = {name.encode(): row for row, name in enumerate(asked)}
        names = (*items, *item_ids(items).to_pylist())  # an id that is a field is good as it is
        self._item = {name.encode(): row % len(items) for row, name in enumerate(names)}

    def parse(self, lines: list[bytes], first: int) -> tuple[NDArray, ...]:
        """Return request, item, score, rank and line of the lines that are not blank."""
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
        item = np.fromiter((self._item.get(r[2], -1) for r in rows), np.int32, size)
        score = np.fromiter((_number(r[4]) for r in rows), np.float64, size)
        bad = np.flatnonzero((request < 0) | (item < 0) | np.isnan(score))
        if len(bad):
            raise self._complaint(numbers[bad[0]], rows[bad[0]])
        if fault is not None:
            raise complain(self._path, number, fault)
        rank = np.fromiter((_number(r[3]) for r in rows), np.float64, size)
        return request, item, score, rank, np.array(numbers, dtype=np.int64)

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
        elif fields[2] not in self._item:
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

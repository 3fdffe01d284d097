"""Run records on disk: written whole or not at all, checked when read."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmark.bounded_json import parse_json
from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError, InputError
from benchmark.files import writing
from benchmark.folders import put, read_steadily, standing, workplace
from benchmark.locks import locked
from benchmark.model import Model
from benchmark.names import below
from benchmark.plain_text import plain
from benchmark.results.json_text import json_text
from benchmark.results.parquet import from_bytes, to_bytes
from benchmark.results.possible_answers import check_answers
from benchmark.results.run_info import SCHEMA_VERSION, check_info
from benchmark.results.shared import (
    CHECKSUMS,
    SharedTable,
    SharedTables,
    file_of,
    made_from,
)
from benchmark.results.stored_files import (
    COUNTS_FILE,
    INFO_FILE,
    TOP_FILE,
    checksum_of,
    read_checked,
    read_info,
    stored,
)
from benchmark.results.table import (
    COUNTS,
    TOP,
    RunTables,
    asked_table,
    joined,
    shared_table,
)

__all__ = [
    "RunRecord",
    "read_run",
    "run_folder",
    "shared_of",
    "write_run",
]


@dataclass(frozen=True)
class RunRecord:
    """A run read from disk.

    Attributes:
        folder: where it lies.
        info: the content of ``run.json``.
    """

    folder: Path
    info: dict[str, Any]
    _counts: bytes = field(repr=False, compare=False)
    _top_sum: str | None = field(repr=False, compare=False)
    _shared: SharedTable = field(repr=False, compare=False)

    def requests(self) -> pd.DataFrame:
        """Return what was asked and how it counts: a row for each task, protocol, request and item.

        The columns are ``task, protocol, request, user, query, item, gain, greater, tied,
        candidates, query_kind, history, item_events`` and, where the data told it, ``hard``.
        """
        return joined(self._shared.frame, self._shared.blocks, self._own())

    @property
    def asked(self) -> SharedTable:
        """What was asked, and maybe more that this run was not asked."""
        return self._shared

    def top(self) -> pd.DataFrame | None:
        """Return the lists of the best ten items; ``None`` where they are not kept.

        The columns are ``task, protocol, request, rank, item``, ranks from 1.

        Raises:
            BenchmarkError: they have gone, or changed, since the run was read.
        """
        table = self._top()
        return None if table is None else table.to_pandas()

    def tables(self) -> RunTables:
        """Return what is stored of the answers, as it is stored.

        Raises:
            BenchmarkError: the lists of the best items have gone, or changed, since the run was
                read.
        """
        return RunTables(self._shared.table, self._own(), self._top())

    def _own(self) -> pa.Table:
        return from_bytes(self._counts, COUNTS, COUNTS_FILE)

    def _top(self) -> pa.Table | None:
        if self._top_sum is None:
            return None
        try:
            file = standing(_place_of(self.folder)) / TOP_FILE
            return from_bytes(read_checked(file, self._top_sum), TOP, TOP_FILE)
        except (OSError, ValueError, BenchmarkError) as error:
            raise BenchmarkError(f"{self.folder}: {error}") from error


def run_folder(results: Path, dataset: str, model: str, run_id: str) -> Path:
    """Return where a run lies: ``runs/<dataset>/<model>/<run>``.

    Raises:
        InputError: one of them is no name, or a link there leads elsewhere.
    """
    return below(results / "runs", dataset, model, run_id)


def write_run(
    folder: Path, info: dict[str, Any], tables: RunTables, model: Model | None
) -> RunRecord:
    """Write a run beside its place, flush it, and put it there; an older one is replaced.

    The table that it shares with other runs is put where they look for it, unless it is there.
    The folder of the data set is locked for that; who changes a record that was read locks it
    before. Without ``model`` the run has no weights.

    Raises:
        InputError: the place cannot be written to.
        BenchmarkError: no reader would take this for a run.
        BusyError: another process writes records of the same data set, for minutes.
    """
    text = _recordable(folder, info)
    try:
        with workplace(folder) as unfinished:
            _write(unfinished, text, tables, model)
            with locked(folder.parent.parent, wait=600):
                shared = made_from(tables.shared, folder)
                _sign(unfinished, shared)
                _place(shared, folder)
                put(unfinished, folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return read_run(folder)


def _recordable(folder: Path, info: dict[str, Any]) -> str:
    """Return the text of ``run.json``, once it is certain that it can be read again."""
    try:
        text = json_text({"schema": SCHEMA_VERSION, **info})
        check_info(parse_json(text.encode()))
    except (BenchmarkError, ValueError, TypeError) as error:
        raise BenchmarkError(f"{folder}: cannot be recorded: {error}") from error
    return text


def _write(folder: Path, text: str, tables: RunTables, model: Model | None) -> None:
    (folder / COUNTS_FILE).write_bytes(to_bytes(tables.counts))
    if tables.top is not None:
        (folder / TOP_FILE).write_bytes(to_bytes(tables.top))
    if model is not None:
        model.save(folder)
    (folder / INFO_FILE).write_text(text, encoding="utf-8")


def _sign(folder: Path, shared: SharedTable) -> None:
    """Write the checksums of all files, and of the table that they stand on."""
    sums = {p.name: checksum_of(p) for p in sorted(folder.iterdir())}
    sums[shared.name] = shared.checksum
    (folder / CHECKSUMS).write_text(json_text(sums), encoding="utf-8")


def _place(shared: SharedTable, folder: Path) -> None:
    """Put a shared table in its place, unless it is there."""
    file, there = file_of(folder, shared.name), None
    with suppress(OSError, ValueError):
        there = SharedTables().at(file).content
    if there != shared.content:
        with writing(file) as unfinished:
            unfinished.write_bytes(shared.content)


def read_run(folder: Path, shared: SharedTables | None = None) -> RunRecord:
    """Read a run, compare its checksums, and prove that what it says can be true.

    One that is just being replaced is read again.

    Args:
        folder: where it lies.
        shared: keeps what several runs stand on, for those who read several.

    Raises:
        InputError: there is no such folder.
        BenchmarkError: a file is missing, differs from its checksum or cannot be read, the run was
            made under other rules, or contradicts itself or its place.
    """
    tables = shared or SharedTables()
    return read_steadily(_place_of(folder), lambda place: _read(folder, place, tables))


def _read(folder: Path, place: Path, shared: SharedTables) -> RunRecord:
    """Read the run of ``folder``, which stands in ``place``."""
    if not place.is_dir():
        raise InputError(f"{folder}: no such folder; name the folder of a run")
    try:
        return _checked(folder, place, shared)
    except OSError as error:
        fault = f"damaged run: {Path(error.filename or folder).name}: {error.strerror or error}"
    except ValueError as error:
        fault = f"damaged run: {error}"
    except BenchmarkError as error:
        fault = str(error)
    raise BenchmarkError(f"{folder}: {fault}")


def _checked(folder: Path, place: Path, shared: SharedTables) -> RunRecord:
    found = stored(place)
    check_info(found.info)
    _check_place(folder, found.info)
    if len(found.shared) != 1:
        raise ValueError(f"{CHECKSUMS} names {len(found.shared)} shared tables, not 1")
    ((name, checksum),) = found.shared.items()
    table = shared.at(file_of(_place_of(folder), name))
    if table.checksum != checksum:
        raise ValueError(f"{name} differs from its checksum")
    counts = from_bytes(found.counts, COUNTS, COUNTS_FILE)
    top = None if found.top is None else from_bytes(found.top, TOP, TOP_FILE)
    try:
        check_answers(found.info["metrics"], table, counts, top)
    except BenchmarkError as error:
        raise BenchmarkError(f"contradicts itself: {error}") from None
    return RunRecord(folder, found.info, found.counts, found.sums.get(TOP_FILE), table)


def _check_place(folder: Path, info: dict[str, Any]) -> None:
    """Refuse a run that lies elsewhere than where it was written, as a copy would count twice."""
    place = _place_of(folder)
    for path, what in zip((place, *place.parents), ("run", "model", "dataset"), strict=False):
        name = unicodedata.normalize("NFC", path.name)
        if name not in (info[what], info[what].replace(":", "-")):
            raise BenchmarkError(
                f"run.json is of {what} {info[what]}, and lies in the folder {plain(name)};"
                " a run stays in runs/<dataset>/<model>/<run>"
            )


def _place_of(folder: Path) -> Path:
    return Path(os.path.normpath(folder.absolute()))


def shared_of(dataset: Dataset, results: Path, harness: str) -> pa.Table:
    """Return the table that all runs on a data set share.

    It takes a while to make, as the requests that no easy rule answers are looked for; so a stored
    run on the same data by the same harness is asked for it first, and believed as to those only.
    """
    wanted = [dataset.digest, dataset.candidates_digest, harness]
    described: pa.Table | None = None
    for file in sorted(below(results / "runs", dataset.name).glob(f"*/*/{INFO_FILE}")):
        told = _shared_by(file.parent, wanted)
        if told is not None:
            described = asked_table(dataset) if described is None else described
            if told.select(described.schema.names).equals(described):
                return told
    return shared_table(dataset)


def _shared_by(folder: Path, wanted: list[str]) -> pa.Table | None:
    """Return the shared table of a run, if it is good and as wanted."""
    try:
        info = read_info(folder)
        told = [info[name] for name in ("dataset_digest", "candidates_digest", "harness")]
        return read_run(folder).tables().shared if told == wanted else None
    except (OSError, ValueError, KeyError, TypeError, BenchmarkError):
        return None  # whoever reads runs is told of those that are damaged

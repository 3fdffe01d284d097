"""Run records on disk: written whole or not at all, checked when read."""

from __future__ import annotations

import os
import shutil
import tempfile
import unicodedata
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmark.bounded_json import read_bounded
from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError, InputError
from benchmark.model import Model
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
from benchmark.results.stored_files import COUNTS_FILE, INFO_FILE, TOP_FILE, read_info, stored
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
        """
        table = self._top()
        return None if table is None else table.to_pandas()

    def tables(self) -> RunTables:
        """Return what is stored of the answers, as it is stored."""
        return RunTables(self._shared.table, self._own(), self._top())

    def _own(self) -> pa.Table:
        return from_bytes(self._counts, COUNTS, COUNTS_FILE)

    def _top(self) -> pa.Table | None:
        file = self.folder / TOP_FILE
        return from_bytes(read_bounded(file, 2**30), TOP, TOP_FILE) if file.exists() else None


def run_folder(results: Path, dataset: str, model: str, run_id: str) -> Path:
    """Return where a run lies."""
    return results / "runs" / dataset / model.replace(":", "-") / run_id


def write_run(
    folder: Path, info: dict[str, Any], tables: RunTables, model: Model | None
) -> RunRecord:
    """Write a run beside its place, flush it, and move it there; an older one is replaced.

    The table that it shares with other runs is put where they look for it, unless it is there.
    Without ``model`` it has no weights.

    Raises:
        InputError: the place cannot be written to.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        workplace = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        unfinished, older = workplace / "unfinished", workplace / "older"
        try:
            unfinished.mkdir()
            shared = made_from(tables.shared, folder)
            _write(unfinished, info, tables, shared, model)
            _place(shared, folder, workplace)
            if folder.exists():
                folder.rename(older)
            unfinished.rename(folder)
            _flush(folder.parent)
        finally:
            if older.exists() and not folder.exists():
                older.rename(folder)
            shutil.rmtree(workplace, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return read_run(folder)


def _write(
    folder: Path, info: dict[str, Any], tables: RunTables, shared: SharedTable, model: Model | None
) -> None:
    (folder / COUNTS_FILE).write_bytes(to_bytes(tables.counts))
    if tables.top is not None:
        (folder / TOP_FILE).write_bytes(to_bytes(tables.top))
    if model is not None:
        model.save(folder)
    text = json_text({"schema": SCHEMA_VERSION, **info})
    (folder / "run.json").write_text(text, encoding="utf-8")
    sums = {p.name: _sha256(p) for p in sorted(folder.iterdir())}
    sums[shared.name] = shared.checksum
    (folder / CHECKSUMS).write_text(json_text(sums), encoding="utf-8")
    for file in folder.iterdir():
        _flush(file)
    _flush(folder)


def _place(shared: SharedTable, folder: Path, workplace: Path) -> None:
    """Put a shared table in its place; whoever else is about it puts the same there."""
    file = file_of(folder, shared.name)
    if file.exists() and file.read_bytes() == shared.content:
        return
    unfinished = workplace / shared.name
    unfinished.write_bytes(shared.content)
    _flush(unfinished)
    unfinished.replace(file)
    _flush(file.parent)


def read_run(folder: Path, shared: SharedTables | None = None) -> RunRecord:
    """Read a run, compare its checksums, and prove that what it says can be true.

    Args:
        folder: where it lies.
        shared: keeps what several runs stand on, for those who read several.

    Raises:
        InputError: there is no such folder.
        BenchmarkError: a file is missing, differs from its checksum or cannot be read, the run was
            made under other rules, or contradicts itself or its place.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the folder of a run")
    try:
        return _read(folder, shared or SharedTables())
    except OSError as error:
        fault = f"damaged run: {Path(error.filename or folder).name}: {error.strerror or error}"
    except ValueError as error:
        fault = f"damaged run: {error}"
    except BenchmarkError as error:
        fault = str(error)
    raise BenchmarkError(f"{folder}: {fault}")


def _read(folder: Path, shared: SharedTables) -> RunRecord:
    found = stored(folder)
    check_info(found.info)
    _check_place(folder, found.info)
    if len(found.shared) != 1:
        raise ValueError(f"{CHECKSUMS} names {len(found.shared)} shared tables, not 1")
    ((name, checksum),) = found.shared.items()
    table = shared.at(file_of(_place_of(folder), name))
    if table.checksum != checksum:
        raise ValueError(f"{name} differs from its checksum")
    record = RunRecord(folder, found.info, found.counts, table)
    answers = record.tables()
    try:
        check_answers(found.info["metrics"], table, answers.counts, answers.top)
    except BenchmarkError as error:
        raise BenchmarkError(f"contradicts itself: {error}") from None
    return record


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
    for file in sorted((results / "runs" / dataset.name).glob(f"*/*/{INFO_FILE}")):
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


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        total = sha256()
        while block := stream.read(2**20):
            total.update(block)
    return total.hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

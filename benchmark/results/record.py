"""Run records on disk: written whole or not at all, checked when read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError, InputError
from benchmark.files import writing
from benchmark.folders import in_place, put, read_steadily, standing, workplace
from benchmark.locks import locked
from benchmark.model import Model
from benchmark.names import below
from benchmark.results.json_text import json_text
from benchmark.results.shared import (
    CHECKSUMS,
    SharedTable,
    SharedTables,
    file_of,
    is_shared_name,
    made_from,
)
from benchmark.results.table import (
    COUNTS,
    TOP,
    RunTables,
    from_bytes,
    joined,
    shared_table,
    to_bytes,
)

__all__ = [
    "SCHEMA_VERSION",
    "RunRecord",
    "read_run",
    "run_folder",
    "scan_runs",
    "shared_of",
    "write_run",
]

SCHEMA_VERSION = 2
_COUNTS, _TOP = "requests.parquet", "top.parquet"


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

        Raises:
            BenchmarkError: the run's own rows do not fit those that all runs share.
        """
        try:
            counts = from_bytes(self._counts, COUNTS)
            return joined(self._shared.frame, self._shared.blocks, counts)
        except BenchmarkError as error:
            raise BenchmarkError(f"{self.folder}: {error}") from error

    def top(self) -> pd.DataFrame | None:
        """Return the lists of the best ten items; ``None`` where they are not kept.

        The columns are ``task, protocol, request, rank, item``, ranks from 1.
        """
        table = self._top()
        return None if table is None else table.to_pandas()

    def tables(self) -> RunTables:
        """Return what is stored of the answers, as it is stored."""
        return RunTables(self._shared.table, from_bytes(self._counts, COUNTS), self._top())

    def _top(self) -> pa.Table | None:
        file = self.folder / _TOP
        return from_bytes(file.read_bytes(), TOP) if file.exists() else None


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
        BusyError: another process writes records of the same data set, for minutes.
    """
    try:
        with workplace(folder) as unfinished:
            _write(unfinished, info, tables, model)
            with locked(folder.parent.parent, wait=600):
                shared = made_from(tables.shared, folder)
                _sign(unfinished, shared)
                _place(shared, folder)
                put(unfinished, folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return read_run(folder)


def _write(folder: Path, info: dict[str, Any], tables: RunTables, model: Model | None) -> None:
    (folder / _COUNTS).write_bytes(to_bytes(tables.counts))
    if tables.top is not None:
        (folder / _TOP).write_bytes(to_bytes(tables.top))
    if model is not None:
        model.save(folder)
    text = json_text({"schema": SCHEMA_VERSION, **info})
    (folder / "run.json").write_text(text, encoding="utf-8")


def _sign(folder: Path, shared: SharedTable) -> None:
    """Write the checksums of all files, and of the table that they stand on."""
    sums = {p.name: _sha256(p) for p in sorted(folder.iterdir())}
    sums[shared.name] = shared.checksum
    (folder / CHECKSUMS).write_text(json_text(sums), encoding="utf-8")


def _place(shared: SharedTable, folder: Path) -> None:
    """Put a shared table in its place, unless it is there."""
    file = file_of(folder, shared.name)
    if not file.exists() or file.read_bytes() != shared.content:
        with writing(file) as unfinished:
            unfinished.write_bytes(shared.content)


def read_run(folder: Path, shared: SharedTables | None = None) -> RunRecord:
    """Read a run and compare its checksums; one that is just being replaced is read again.

    Args:
        folder: where it lies.
        shared: keeps what several runs stand on, for those who read several.

    Raises:
        InputError: there is no such folder.
        BenchmarkError: a file is missing or differs from its checksum, or the run was made under
            other rules.
    """
    return read_steadily(folder, lambda place: _read(folder, place, shared or SharedTables()))


def _read(folder: Path, place: Path, shared: SharedTables) -> RunRecord:
    """Read the run of ``folder``, which stands in ``place``."""
    if not place.is_dir():
        raise InputError(f"{folder}: no such folder; name the folder of a run")
    try:
        sums = json.loads((place / CHECKSUMS).read_text(encoding="utf-8"))
        if not isinstance(sums, dict) or not {"run.json", _COUNTS} <= sums.keys():
            raise BenchmarkError(f"{folder}: damaged run: {CHECKSUMS} is incomplete")
        names = [name for name in sums if is_shared_name(name)]
        content = {name: (place / name).read_bytes() for name in ("run.json", _COUNTS)}
        for name in sums.keys() - set(names):
            found = sha256(content[name]).hexdigest() if name in content else ""
            if Path(name).name != name or (found or _sha256(place / name)) != sums[name]:
                raise BenchmarkError(f"{folder}: damaged run: {name} differs from its checksum")
        info = json.loads(content["run.json"])
        _check_schema(folder, info)
        if len(names) != 1:
            raise BenchmarkError(f"{folder}: damaged run: {CHECKSUMS} names no shared table")
        table = shared.at(file_of(folder, names[0]))
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"{folder}: damaged run: {error}") from error
    if table.checksum != sums[names[0]]:
        raise BenchmarkError(f"{folder}: damaged run: {names[0]} differs from its checksum")
    return RunRecord(folder, info, content[_COUNTS], table)


def _check_schema(folder: Path, info: Any) -> None:
    schema = info.get("schema") if isinstance(info, dict) else None
    if schema == 1:
        raise BenchmarkError(f"{folder}: made under schema 1 by rules that changed; run it again")
    if schema != SCHEMA_VERSION:
        raise BenchmarkError(f"{folder}: written with schema {schema}, not {SCHEMA_VERSION}")


def shared_of(dataset: Dataset, results: Path, harness: str) -> pa.Table:
    """Return the table that all runs on a data set share.

    It takes a while to make, as the requests that no easy rule answers are looked for; so a stored
    run on the same data by the same harness is asked for it first.
    """
    wanted = [dataset.digest, dataset.candidates_digest, harness]
    for file in sorted(below(results / "runs", dataset.name).glob("*/*/run.json")):
        stored = _shared_by(file, wanted)
        if stored is not None:
            return stored
    return shared_table(dataset)


def _shared_by(file: Path, wanted: list[str]) -> pa.Table | None:
    """Return the shared table of a run, given its ``run.json``, if it is good and as wanted."""
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
        told = [info[name] for name in ("dataset_digest", "candidates_digest", "harness")]
        return read_run(file.parent).tables().shared if told == wanted else None
    except (OSError, ValueError, KeyError, TypeError, BenchmarkError):
        return None  # whoever reads runs is told of those that are damaged


def scan_runs(results: Path, report: Callable[[str], None]) -> Iterator[RunRecord]:
    """Yield all good runs below ``results`` in the order of their folders.

    ``report`` gets one line for each run that is left out: damaged, or made under other rules.
    """
    runs, shared = results / "runs", SharedTables()
    for folder in sorted({in_place(found) for found in runs.glob("*/*/*")}):
        hidden = any(part.startswith(".") for part in folder.relative_to(runs).parts)
        if hidden or not standing(folder).is_dir():
            continue
        try:
            yield read_run(folder, shared)
        except BenchmarkError as error:
            if standing(folder).exists():  # else it was removed while it was read
                report(f"left out: {error}")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        total = sha256()
        while block := stream.read(2**20):
            total.update(block)
    return total.hexdigest()

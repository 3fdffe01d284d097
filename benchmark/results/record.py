"""Run records on disk: written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmark.errors import BenchmarkError, InputError
from benchmark.model import Model
from benchmark.results.table import read_table, write_table

__all__ = ["SCHEMA_VERSION", "RunRecord", "read_run", "run_folder", "scan_runs", "write_run"]

SCHEMA_VERSION = 1
_CHECKSUMS = "checksums.json"


@dataclass(frozen=True)
class RunRecord:
    """A run read from disk.

    Attributes:
        folder: where it lies.
        info: the content of ``run.json``.
    """

    folder: Path
    info: dict[str, Any]

    def requests(self) -> pd.DataFrame:
        """Return the counts of all requests, the columns of ``requests.parquet``."""
        return read_table(self.folder / "requests.parquet")


def run_folder(results: Path, dataset: str, model: str, run_id: str) -> Path:
    """Return where a run lies."""
    return results / "runs" / dataset / model.replace(":", "-") / run_id


def write_run(
    folder: Path, info: dict[str, Any], table: pa.Table, model: Model | None
) -> RunRecord:
    """Write a run beside its place, flush it, and move it there; an older one is replaced.

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
            _write(unfinished, info, table, model)
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


def _write(folder: Path, info: dict[str, Any], table: pa.Table, model: Model | None) -> None:
    write_table(table, folder / "requests.parquet")
    if model is not None:
        model.save(folder)
    text = json.dumps({"schema": SCHEMA_VERSION, **info}, indent=1, allow_nan=False)
    (folder / "run.json").write_text(text + "\n", encoding="utf-8")
    sums = {p.name: _sha256(p) for p in sorted(folder.iterdir())}
    (folder / _CHECKSUMS).write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        _flush(file)
    _flush(folder)


def read_run(folder: Path) -> RunRecord:
    """Read a run and compare its checksums.

    Raises:
        InputError: there is no such folder.
        BenchmarkError: a file is missing or differs from its checksum.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the folder of a run")
    try:
        sums = json.loads((folder / _CHECKSUMS).read_text(encoding="utf-8"))
        if not isinstance(sums, dict) or not {"run.json", "requests.parquet"} <= sums.keys():
            raise BenchmarkError(f"{folder}: damaged run: {_CHECKSUMS} is incomplete")
        for name, expected in sums.items():
            if Path(name).name != name or _sha256(folder / name) != expected:
                raise BenchmarkError(f"{folder}: damaged run: {name} differs from its checksum")
        info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"{folder}: damaged run: {error}") from error
    schema = info.get("schema") if isinstance(info, dict) else None
    if schema != SCHEMA_VERSION:
        raise BenchmarkError(f"{folder}: written with schema {schema}, not {SCHEMA_VERSION}")
    if "changed" not in info:
        raise BenchmarkError(f"{folder}: of an earlier version of this package; run it again")
    return RunRecord(folder, info)


def scan_runs(results: Path, report: Callable[[str], None]) -> Iterator[RunRecord]:
    """Yield all good runs below ``results`` in the order of their folders.

    ``report`` gets one line for each damaged run, which is left out.
    """
    runs = results / "runs"
    for folder in sorted(runs.glob("*/*/*")):
        hidden = any(part.startswith(".") for part in folder.relative_to(runs).parts)
        if hidden or not folder.is_dir():
            continue
        try:
            yield read_run(folder)
        except BenchmarkError as error:
            report(f"left out: {error}")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        total = hashlib.sha256()
        while block := stream.read(2**20):
            total.update(block)
    return total.hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

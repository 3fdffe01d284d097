"""The files of a run as they lie on disk: bounded, and as their checksums say."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmark.bounded_json import parse_json, read_bounded
from benchmark.plain_text import plain
from benchmark.results.shared import CHECKSUMS, is_shared_name

__all__ = ["COUNTS_FILE", "INFO_FILE", "TOP_FILE", "Stored", "read_info", "stored"]

INFO_FILE, COUNTS_FILE, TOP_FILE = "run.json", "requests.parquet", "top.parquet"

_LIMITS = {INFO_FILE: 2**24, COUNTS_FILE: 2**30, CHECKSUMS: 2**20}
_CHECKED = (TOP_FILE, "config.json", "model.safetensors")
"""What is read of a run where it is there, and so must have a checksum."""
_SUM = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Stored:
    """What a run's folder holds.

    Attributes:
        info: the document of ``run.json``, whatever it says.
        counts: the content of the file of counts.
        shared: checksums of what the run shares with others, by name of the file.
    """

    info: Any
    counts: bytes
    shared: dict[str, str]


def read_info(folder: Path) -> Any:
    """Return the document of a folder's ``run.json``, whose checksum is not looked at.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, or no JSON.
    """
    return _parsed(INFO_FILE, read_bounded(folder / INFO_FILE, _LIMITS[INFO_FILE]))


def stored(folder: Path) -> Stored:
    """Read a run's own files; all that its checksums name are compared.

    Raises:
        OSError: a file cannot be read.
        ValueError: one differs from its checksum, or is not what its name says.
    """
    sums = _sums(folder)
    shared = {name: sums.pop(name) for name in [*sums] if is_shared_name(name)}
    content = {n: read_bounded(folder / n, _LIMITS[n]) for n in (INFO_FILE, COUNTS_FILE)}
    for name in sums:
        found = sha256(content[name]) if name in content else _sha256(folder / name)
        if found.hexdigest() != sums[name]:
            raise ValueError(f"{name} differs from its checksum")
    return Stored(_parsed(INFO_FILE, content[INFO_FILE]), content[COUNTS_FILE], shared)


def _sums(folder: Path) -> dict[str, str]:
    """Return the checksums by name of a file that lies in the folder, or is shared."""
    sums = _parsed(CHECKSUMS, read_bounded(folder / CHECKSUMS, _LIMITS[CHECKSUMS]))
    if not isinstance(sums, dict) or not {INFO_FILE, COUNTS_FILE} <= sums.keys():
        raise ValueError(f"{CHECKSUMS} is incomplete")
    for name, value in sums.items():
        if name in ("", "..") or Path(name).name != name or "\0" in name:
            raise ValueError(f"{CHECKSUMS} names {plain(name, 60)}, which is no file of the run")
        if not (isinstance(value, str) and _SUM.fullmatch(value)):
            raise ValueError(f"{CHECKSUMS} has no SHA-256 of {plain(name, 60)}")
    for name in _CHECKED:
        if name not in sums and (folder / name).exists():
            raise ValueError(f"{CHECKSUMS} has no SHA-256 of {name}")
    return sums


def _parsed(name: str, content: bytes) -> Any:
    try:
        return parse_json(content)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _sha256(file: Path) -> Any:
    """Return the running digest of a regular file, of which little is in memory at a time."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError(f"{plain(file.name)} is no regular file")
    total = sha256()
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            total.update(block)
    return total

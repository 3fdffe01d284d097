"""The files of a run as they lie on disk: bounded, and as their checksums say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmark.bounded_json import parse_json, read_bounded
from benchmark.files import open_regular
from benchmark.plain_text import plain
from benchmark.results.shared import CHECKSUMS, is_shared_name

__all__ = [
    "COUNTS_FILE",
    "INFO_FILE",
    "TOP_FILE",
    "Stored",
    "checksum_of",
    "read_checked",
    "read_info",
    "stored",
]

INFO_FILE, COUNTS_FILE, TOP_FILE = "run.json", "requests.parquet", "top.parquet"

_LIMITS = {INFO_FILE: 2**24, COUNTS_FILE: 2**30, TOP_FILE: 2**30, CHECKSUMS: 2**20}
_CHECKED = (TOP_FILE, "config.json", "model.safetensors")
"""What is read of a run where it is there, and so must have a checksum."""
_SUM = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Stored:
    """What a run's folder holds.

    Attributes:
        info: the document of ``run.json``, whatever it says.
        counts: the content of the file of counts.
        top: the content of the file of the best items, ``None`` where they are not kept.
        sums: checksums of the run's own files, by name.
        shared: checksums of what the run shares with others, by name of the file.
    """

    info: Any
    counts: bytes
    top: bytes | None
    sums: dict[str, str]
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
    parsed = {n: sums[n] for n in (INFO_FILE, COUNTS_FILE, TOP_FILE) if n in sums}
    content = {name: read_checked(folder / name, wanted) for name, wanted in parsed.items()}
    for name in sorted(sums.keys() - parsed.keys()):
        _compare(name, checksum_of(folder / name), sums[name])
    info = _parsed(INFO_FILE, content[INFO_FILE])
    return Stored(info, content[COUNTS_FILE], content.get(TOP_FILE), sums, shared)


def read_checked(file: Path, wanted: str) -> bytes:
    """Return the content of a file that is parsed, once its SHA-256 (hex) is as wanted.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, or differs from its checksum.
    """
    content = read_bounded(file, _LIMITS[file.name])
    _compare(file.name, sha256(content).hexdigest(), wanted)
    return content


def checksum_of(file: Path) -> str:
    """Return the SHA-256 (hex) of a file, of which little is in memory at a time.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    total = sha256()
    with open_regular(file) as stream:
        while block := stream.read(2**20):
            total.update(block)
    return total.hexdigest()


def _compare(name: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise ValueError(f"{name} differs from its checksum")


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

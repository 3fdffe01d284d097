"""What source files were found to be, remembered as long as they are not touched.

As git's index has it: a file of the same size, times and inode as when it was read is the same
file. One that was touched less than a moment before it was read is not remembered, as it could be
touched again within what its file system takes for the same moment. Where somebody writes a file
through the memory that it is mapped into, or sets the clock back, this can be wrong; deleting the
folder ``files`` of the cache makes it right.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from benchmark.data.sources.checksum import Scan, scan
from benchmark.errors import BenchmarkError
from benchmark.names import below
from benchmark.sealed import read_sealed, write_sealed

__all__ = ["KnownFiles"]

_MOMENT = 3 * 10**9
"""Nanoseconds; the coarsest file systems in use count time in two seconds."""
_LONGEST = 10**5

Stamp = tuple[int, ...]


class KnownFiles:
    """Scans of files, a small sealed file for each in a folder.

    For as long as it lives itself, which is for one loading, it knows the newest files too.

    Args:
        cache: the folder of prepared data sets; a cache that cannot be written takes nothing.
    """

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "files"
        self._met: dict[Path, tuple[Stamp, Scan]] = {}

    def scan(self, path: Path) -> Scan:
        """Return what :func:`benchmark.data.sources.checksum.scan` does, from memory if it can.

        Raises:
            InputError: the file is missing, unreadable, no regular file, or empty.
        """
        before = _stamp(path)
        if before is None:
            return scan(path)
        met = self._met.get(path)
        found = met[1] if met is not None and met[0] == before else self._recall(path, before)
        if found is not None:
            return found
        started = time.time_ns()
        found = scan(path)
        if _stamp(path) == before:
            self._met[path] = before, found
            *_, modified, changed = before
            if max(modified, changed) + _MOMENT < started:
                self._remember(path, before, found)
        return found

    def _recall(self, path: Path, stamp: Stamp) -> Scan | None:
        with suppress(BenchmarkError, ValueError, TypeError, LookupError):
            told = json.loads(read_sealed(self._place(path), str(path.absolute()), _LONGEST))
            if told["stamp"] == list(stamp):
                return Scan(**told["scan"])
        return None

    def _remember(self, path: Path, stamp: Stamp, found: Scan) -> None:
        told = json.dumps({"stamp": stamp, "scan": asdict(found)}).encode()
        with suppress(BenchmarkError):
            write_sealed(self._place(path), told, str(path.absolute()))

    def _place(self, path: Path) -> Path:
        name = sha256(os.fsencode(path.absolute())).hexdigest()[:32]
        return below(self._folder, f"{name}.json")


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

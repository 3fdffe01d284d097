"""Archives that anybody may have packed: what of them may be read, and unpacking named members.

The name of a member never becomes a path: whoever unpacks says where each goes. What a member's
header announces is bounded before a byte of it is unpacked, and no more than that is read.
"""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, BinaryIO, Literal

from benchmark.errors import InputError
from benchmark.files import flush, open_regular
from benchmark.names import leads_out
from benchmark.plain_text import plain

__all__ = ["BROKEN", "LIMITS", "Archive", "Limits", "fault_of", "prove", "unpack"]

Archive = Literal["zip", "tar.gz", "gz"]
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What Python's readers of archives raise for damaged ones."""
_BLOCK = 2**20
_NAMES = {"zip": "no zip archive", "tar.gz": "no tar.gz archive", "gz": "not packed by gzip"}


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to.

    Attributes:
        size: bytes of a member once it is unpacked, and of all together.
        ratio: bytes that come of one packed byte; tables of numbers have 5 to 20.
        small: bytes that are not asked how well they were packed.
        members: in all, whether they are unpacked or not.
    """

    size: int = 64 * 2**30
    ratio: int = 200
    small: int = 64 * 2**20
    members: int = 100_000

    def allowed(self, packed: int) -> int:
        """Return how many bytes may come of so many packed ones."""
        return min(self.size, max(self.small, self.ratio * packed))


LIMITS = Limits()


def fault_of(entry: zipfile.ZipInfo, limits: Limits = LIMITS) -> str | None:
    """Return why a member of a zip archive is not read, and the mend; ``None`` if it may be."""
    if _leads_out(entry.filename):
        return "leads out of the archive; pack it anew"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link; pack the file itself"
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        return "is no file; pack it anew"
    if entry.flag_bits & 1:
        return "is packed with a password; pack it without"
    if entry.file_size > limits.allowed(entry.compress_size):
        return f"unpacks to {entry.file_size:,} bytes from {entry.compress_size:,}; unpack it"
    return None


def unpack(
    archive: Path, kind: Archive, wanted: Mapping[str, Path], limits: Limits = LIMITS
) -> None:
    """Unpack members of an archive, whole and flushed, to where each is wanted.

    Args:
        archive: the file.
        kind: of what has packed it.
        wanted: the paths of the files to be written, which are not there yet, by the path of the
            member in the archive; of ``gz`` a single one by any name.
        limits: of what it may unpack to.

    Raises:
        InputError: it is damaged, has no such member or two, or a member leads out, is no file, or
            is suspiciously large. What was written until then stays, for its folder to go.
        OSError: a file cannot be written.
    """
    with _reading(archive, kind) as file:
        members = {"zip": _of_zip, "tar.gz": _of_tar, "gz": _of_gzip}[kind]
        left = dict(wanted)
        for name, size, content in members(archive, file, _Chosen(archive, wanted), limits):
            _write(content, left.pop(name), size)
    if left:
        raise _complain(archive, f"holds no {plain(next(iter(left)), 120)}")


def prove(path: Path, kind: Archive, limits: Limits = LIMITS) -> None:
    """Read a whole archive by its own checksums, and keep nothing.

    Raises:
        InputError: it is damaged.
    """
    with _reading(path, kind) as file:
        if kind == "zip":
            with zipfile.ZipFile(file) as packed:
                total = sum(entry.file_size for entry in _entries(path, packed, limits))
                _check_total(path, total, _size(file), limits)
                if (bad := packed.testzip()) is not None:
                    raise _complain(path, f"its member {plain(bad, 80)} is damaged")
        else:
            with gzip.GzipFile(fileobj=file) as packed_stream:
                bounded = _Bounded(packed_stream, path, limits.allowed(_size(file)))
                while bounded.read(_BLOCK):
                    pass


Members = Iterator[tuple[str, int | None, IO[bytes]]]
"""The name that is wanted, the announced size, if any, and the content."""


def _of_zip(path: Path, file: BinaryIO, chosen: _Chosen, limits: Limits) -> Members:
    with zipfile.ZipFile(file) as packed:
        entries = [(chosen.asks_for(e.filename), e) for e in _entries(path, packed, limits)]
        wanted = [(name, entry) for name, entry in entries if name is not None]
        for _, entry in wanted:
            if (fault := fault_of(entry, limits)) is not None:
                raise _complain(path, f"its member {plain(entry.filename, 80)} {fault}")
        total = sum(entry.file_size for _, entry in wanted)
        _check_total(path, total, _size(file), limits)
        for name, entry in wanted:
            with packed.open(entry) as content:
                yield name, entry.file_size, content


def _of_tar(path: Path, file: BinaryIO, chosen: _Chosen, limits: Limits) -> Members:
    with gzip.GzipFile(fileobj=file) as packed:
        bounded = _Bounded(packed, path, limits.allowed(_size(file)))
        members = 0
        # Read once, from front to back: what comes twice is told when it comes again.
        with tarfile.open(fileobj=bounded, mode="r:") as archive:  # type: ignore[call-overload]
            while (member := archive.next()) is not None:
                archive.members.clear()  # which it keeps for looking things up
                members += 1
                if members > limits.members:
                    raise _complain(path, f"has more than {limits.members:,} members")
                name = chosen.asks_for(member.name)
                if name is None:
                    continue
                if not member.isreg() or member.issparse():
                    what = "a link" if member.issym() or member.islnk() else "no file"
                    raise _complain(path, f"its member {plain(member.name, 80)} is {what}")
                content = archive.extractfile(member)
                assert content is not None, "it is a regular file"
                yield name, member.size, content
        while bounded.read(_BLOCK):  # to the checksum of gzip
            pass


def _of_gzip(path: Path, file: BinaryIO, chosen: _Chosen, limits: Limits) -> Members:
    with gzip.GzipFile(fileobj=file) as packed:
        (name,) = chosen.wanted
        yield name, None, _Bounded(packed, path, limits.allowed(_size(file)))  # type: ignore[misc]


def _check_total(path: Path, total: int, packed: int, limits: Limits) -> None:
    """Refuse what is too much altogether: members may stand on the same packed bytes."""
    if total > limits.allowed(packed):
        raise _complain(path, f"unpacks to {total:,} bytes, too much for its size")


def _entries(path: Path, packed: zipfile.ZipFile, limits: Limits) -> list[zipfile.ZipInfo]:
    entries = packed.infolist()
    if len(entries) > limits.members:
        raise _complain(path, f"has more than {limits.members:,} members")
    return entries


class _Chosen:
    """Which members of an archive are wanted, each once.

    Args:
        path: of the archive.
        wanted: paths of members in it.
    """

    def __init__(self, path: Path, wanted: Iterable[str]) -> None:
        self.wanted = tuple(wanted)
        self._path = path
        self._folded = {_folded(name): name for name in self.wanted}
        self._met: set[str] = set()

    def asks_for(self, member: str) -> str | None:
        """Return the wanted name that a member has, ``None`` for one that nobody wants.

        Raises:
            InputError: the member leads out of the archive, or is, to some file system, the same
                file as one before that is wanted.
        """
        if _leads_out(member):
            raise _complain(self._path, f"its member {plain(member, 80)} leads out of the archive")
        name = self._folded.get(_folded(member))
        if name is None:
            return None
        if name in self._met:
            raise _complain(self._path, f"holds {plain(name, 80)} twice")
        self._met.add(name)
        return name if PurePosixPath(member) == PurePosixPath(name) else None


def _leads_out(name: str) -> bool:
    """Return whether a member's name leads out of a folder on any system."""
    windows = PureWindowsPath(name)
    return leads_out(name) or bool(windows.anchor) or ".." in windows.parts


def _folded(name: str) -> str:
    """Return what two paths have in common that a file system may take for one."""
    path = unicodedata.normalize("NFKC", str(PurePosixPath(name))).casefold()
    return unicodedata.normalize("NFKC", path)


class _Bounded:
    """Reads unpacked bytes up to a limit, never many at once; counts from the file's start."""

    def __init__(self, packed: gzip.GzipFile, path: Path, limit: int) -> None:
        self._packed, self._path, self._limit = packed, path, limit

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 16 * _BLOCK:  # as much as no header has
            raise _complain(self._path, "announces a header of many megabytes")
        content = self._packed.read(size)
        self._check(self._packed.tell())
        return content

    def seek(self, position: int, whence: int = 0) -> int:
        if whence == 0:
            self._check(position)
        return self._packed.seek(position, whence)

    def tell(self) -> int:
        return self._packed.tell()

    def _check(self, position: int) -> None:
        if position > self._limit:
            raise _complain(
                self._path, f"unpacks to more than {self._limit:,} bytes, too much for its size"
            )


def _write(content: IO[bytes], place: Path, size: int | None) -> None:
    written = 0
    with place.open("xb") as file:
        while chunk := content.read(_BLOCK):
            written += len(chunk)
            file.write(chunk)
    if size is not None and written != size:
        raise EOFError(f"{size:,} bytes are announced and {written:,} are there")
    flush(place)


@contextmanager
def _reading(path: Path, kind: Archive) -> Iterator[BinaryIO]:
    with open_regular(path) as file:
        try:
            if _size(file) == 0:
                raise EOFError("it is empty")
            yield file
        except BROKEN as error:
            why = plain(str(error), 80)
            raise _complain(path, f"is damaged or {_NAMES[kind]} ({why})") from None


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _complain(path: Path, text: str) -> InputError:
    return InputError(f"{plain(path.name, 80)}: {text}")

"""Text files, plain or packed by gzip, in blocks of whole lines, so that memory stays bounded."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from benchmark.data.recognise import foreign_text
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import LONGEST_LINE, complain, open_file
from benchmark.plain_text import plain

__all__ = ["Block", "Lines", "blocks"]

_BLOCK = 8 * 2**20
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Block:
    """Some lines of a file.

    Attributes:
        first: the number of the first, from 1.
        data: the lines, each with its end.
    """

    first: int
    data: bytes

    def __len__(self) -> int:
        return self.data.count(b"\n")

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of the lines, ``[lines]``."""
        return np.arange(self.first, self.first + len(self))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield numbers and lines, without their ends."""
        for number, line in enumerate(self.data.split(b"\n")[:-1], self.first):
            yield number, line.removesuffix(b"\r")


@dataclass
class Lines:
    """What becomes of the lines of a file: how many there are, and which are left out.

    Attributes:
        path: the file.
        total: lines met so far.
        left_out: lines left out so far.
        first: number and fault of the first of these.
    """

    path: Path
    total: int = 0
    left_out: int = 0
    first: tuple[int, str] = field(default=(0, ""))

    def leave_out(self, number: int, fault: str, lines: int = 1) -> None:
        """Count lines that are left out, the first of which is ``number``."""
        if not self.left_out or number < self.first[0]:
            self.first = (number, fault)
        self.left_out += lines

    def tell(self, cleaning: Cleaning) -> None:
        """Tell of the lines that were left out.

        Raises:
            InputError: all were, or there are none, or the card is strict.
        """
        number, fault = self.first
        if not self.total:
            raise complain(self.path, None, "the file holds no lines")
        if self.left_out == self.total:
            raise complain(self.path, number, f"{fault}; nor is any other line as it should be")
        if self.left_out:
            count = f"{self.left_out} of {self.total} lines"
            cleaning.report(self.path, number, fault, count, "they are left out")

    def decoded(self, number: int, line: bytes) -> str | None:
        """Return the text of a line; where it is not UTF-8 it is left out, and ``None``."""
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            self.leave_out(number, f"byte {error.start + 1} is {foreign_text(line)}")
            return None


def blocks(path: Path) -> Iterator[Block]:
    """Yield the lines of a file, about 8 MB at once.

    Raises:
        InputError: the file cannot be read, is damaged or cut off, or a line is longer than 1 MiB
            or holds a NUL byte.
    """
    number, rest = 1, b""
    with _opened(path) as file:
        while chunk := _read(path, file, number):
            if number == 1 and not rest:
                chunk = chunk.removeprefix(_BOM)
            data = rest + chunk
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if end:
                yield _checked(path, Block(number, data[:end]))
                number += data.count(b"\n")
            if len(rest) > LONGEST_LINE:
                raise _too_long(path, number)
        if rest:
            yield _checked(path, Block(number, rest + b"\n"))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with open_file(path) as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        if not packed:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as file:
            yield file  # type: ignore[misc]


def _read(path: Path, file: BinaryIO, number: int) -> bytes:
    try:
        return file.read(_BLOCK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        reason = plain(str(error) or "it ends too early", 80)
        text = f"the gzip file is damaged or cut off ({reason}); fetch it anew"
        raise complain(path, number, text) from None


def _checked(path: Path, block: Block) -> Block:
    ends = np.flatnonzero(np.frombuffer(block.data, dtype=np.uint8) == ord("\n"))
    lengths = np.diff(ends, prepend=-1)
    if lengths.max() > LONGEST_LINE + 1:
        raise _too_long(path, block.first + int(np.argmax(lengths > LONGEST_LINE + 1)))
    if (place := block.data.find(b"\0")) >= 0:
        line = block.first + int(np.searchsorted(ends, place))
        raise complain(path, line, "the line holds a NUL byte; remove it")
    return block


def _too_long(path: Path, number: int) -> Exception:
    return complain(path, number, f"the line is longer than {LONGEST_LINE:,} bytes; shorten it")

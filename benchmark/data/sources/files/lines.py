"""Files of text in blocks of whole lines, so that memory is bounded, and which are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.data.recognise import foreign_text
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import LONGEST_LINE, complain
from benchmark.data.sources.files.table_file import DAMAGED, TableFile, damaged, table_file
from benchmark.errors import InputError

__all__ = ["Block", "Faults", "Lines", "blocks"]

_BLOCK = 4 * 2**20
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
        return len(self.ends)

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """The place of the end of each line, ``[lines]``."""
        return np.flatnonzero(np.frombuffer(self.data, dtype=np.uint8) == ord("\n"))

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The number of each line, ``[lines]``."""
        return np.arange(self.first, self.first + len(self))

    @cached_property
    def full(self) -> NDArray[np.int64]:
        """The numbers of the lines that hold anything."""
        length = np.diff(self.ends, prepend=-1) - 1
        before = np.frombuffer(self.data, dtype=np.uint8)[self.ends - 1]
        return self.numbers[(length > 1) | ((length == 1) & (before != ord("\r")))]

    def line(self, number: int) -> bytes:
        """Return the line of a number, without its end."""
        place = number - self.first
        begin = int(self.ends[place - 1]) + 1 if place else 0
        return self.data[begin : int(self.ends[place])].removesuffix(b"\r")

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield numbers and lines, without their ends."""
        for number, line in enumerate(self.data.split(b"\n")[:-1], self.first):
            yield number, line.removesuffix(b"\r")

    def after(self, number: int) -> Block:
        """Return the lines behind a line."""
        place = number - self.first
        return Block(number + 1, self.data[int(self.ends[place]) + 1 :])


@dataclass
class Lines:
    """What becomes of the lines of a file: how many there are, and which are left out.

    Attributes:
        source: the file.
        refuse: refuse the first line that would be left out.
        wanted: what a line holds, for the error of a file that has none such.
        total: lines met so far.
        left_out: lines left out so far.
        first: number and fault of the first of these.
    """

    source: Path | TableFile
    refuse: bool = False
    wanted: str = "what it should"
    total: int = 0
    left_out: int = 0
    first: tuple[int, str] = field(default=(0, ""))

    @property
    def path(self) -> Path:
        """What errors call the file."""
        return self.source if isinstance(self.source, Path) else self.source.path

    def leave_out(self, number: int, fault: str, lines: int = 1) -> None:
        """Count lines that are left out, the first of which is ``number``.

        Raises:
            InputError: they are refused.
        """
        if self.refuse:
            raise complain(self.path, number, fault)
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
            raise self.without_rows()
        if self.left_out == self.total:
            text = f"{fault}; nor is any other line right; one has {self.wanted}"
            raise complain(self.path, number, text)
        if self.left_out:
            count = f"{self.left_out} of {self.total} lines"
            cleaning.report(self.path, number, fault, count, "they are left out")

    def without_rows(self) -> InputError:
        """Return the error of a file that has none."""
        return complain(self.path, None, f"the file holds no rows; one has {self.wanted}")

    def decoded(self, number: int, line: bytes) -> str | None:
        """Return the text of a line; where it is not UTF-8 it is left out, and ``None``."""
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            self.leave_out(number, f"byte {error.start + 1} is {foreign_text(line)}")
            return None


class Faults:
    """Counts rows that are left out by what is wrong with them, and tells each fault by itself.

    Args:
        path: the file.
        cleaning: is told.
    """

    def __init__(self, path: Path, cleaning: Cleaning) -> None:
        self._path, self._cleaning = path, cleaning
        self._found: dict[str, tuple[int, int]] = {}

    def add(self, fault: str, numbers: NDArray[np.integer]) -> None:
        """Take note of lines (ascending) that have a fault."""
        if len(numbers):
            first, count = self._found.get(fault, (int(numbers[0]), 0))
            self._found[fault] = first, count + len(numbers)

    def refused(self, total: int) -> InputError:
        """Return the error of a table of ``total`` rows that has none without a fault."""
        if not self._found:
            return complain(self._path, None, "the file holds no rows; there is a header only")
        fault, (first, _) = min(self._found.items(), key=lambda each: each[1][0])
        return complain(self._path, first, f"{fault}, and none of {total} rows is whole")

    def tell(self, total: int) -> None:
        """Report the faults of a table of ``total`` rows, or refuse them where the card does."""
        for fault, (first, count) in self._found.items():
            told = f"{count} of {total} rows"
            self._cleaning.report(self._path, first, fault, told, "they are left out")


def blocks(source: Path | TableFile) -> Iterator[Block]:
    """Yield the lines of a file, plain or packed, about 4 MB at once.

    Raises:
        InputError: the file cannot be read, is damaged or cut off, or a line is longer than 1 MiB
            or holds a NUL byte.
    """
    file = table_file(source) if isinstance(source, Path) else source
    number, rest = 1, b""
    with file.open() as stream:
        while True:
            try:
                chunk = stream.read(_BLOCK)
            except DAMAGED as error:
                raise damaged(file.path, number, error) from None
            if not chunk:
                break
            data = rest + chunk
            if number == 1:
                if len(data) < len(_BOM):  # too little to tell
                    rest = data
                    continue
                data = data.removeprefix(_BOM)
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if end:
                block = _checked(file.path, Block(number, data[:end]))
                yield block
                number += len(block)
            if len(rest) > LONGEST_LINE:
                raise _too_long(file.path, number)
        if rest:
            yield _checked(file.path, Block(number, rest.removesuffix(b"\n") + b"\n"))


def _checked(path: Path, block: Block) -> Block:
    lengths = np.diff(block.ends, prepend=-1)
    if lengths.max() > LONGEST_LINE + 1:
        raise _too_long(path, block.first + int(np.argmax(lengths > LONGEST_LINE + 1)))
    if (place := block.data.find(b"\0")) >= 0:
        line = block.first + int(np.searchsorted(block.ends, place))
        raise complain(path, line, "the line holds a NUL byte; remove it")
    return block


def _too_long(path: Path, number: int) -> InputError:
    return complain(path, number, f"the line is longer than {LONGEST_LINE:,} bytes; shorten it")

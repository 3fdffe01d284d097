"""What is left out of source files or mended in them: told with a count, or refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benchmark.data.sources.diagnose import complain
from benchmark.plain_text import plain

__all__ = ["Cleaning"]


@dataclass
class Cleaning:
    """The remarks on the files of one data set.

    Attributes:
        strict: refuse the first thing that would be cleaned.
        notes: what was cleaned, one line each.
    """

    strict: bool = False
    notes: list[str] = field(default_factory=list)

    def report(self, path: Path, line: int, fault: str, count: str, remedy: str) -> None:
        """Take note of a fault that is cleaned.

        Args:
            path: the file.
            line: where it is met first.
            fault: what is wrong there.
            count: how often it is met, as in ``"3 of 72 events"``.
            remedy: what is done about it.

        Raises:
            InputError: the card is strict.
        """
        if self.strict:
            text = f"{fault} ({count}); mend the file, or take 'strict' out of the card"
            raise complain(path, line, text)
        self.notes.append(f"{plain(path.name, 80)}:{line}: {plain(fault)} ({count}); {remedy}")

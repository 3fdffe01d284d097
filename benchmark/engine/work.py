"""Pieces of work, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["Ended", "How", "Outcome", "Work"]

How = Literal["done", "failed", "killed", "busy"]


@dataclass(frozen=True)
class Work:
    """A piece of work, which is done in a process of its own.

    Attributes:
        key: names it, for a person too; no two works of an engine have the same.
        call: a function at the top of a module, so that another process can import it.
        arguments: for the call; they are pickled, so they should be small.
        after: keys of works, submitted before, that must be done first.
        imports: modules that take long to import and that the call needs. Works that name the
            same ones start from a process that has imported them and done nothing else.
    """

    key: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    after: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of a work.

    Attributes:
        key: of the work.
        value: what the call returned; ``None`` if it failed, or its error where the work was done
            in this process.
        failure: why it failed or was not begun, in one line; ``None`` if it is done.
        seconds: that its last attempt took, 0 if there was none.
        attempts: how often it was begun and not found busy.
        log: what it wrote to stdout and stderr, of all attempts; ``None`` if there was none.
        who: the machine and process of the last attempt.
    """

    key: str
    value: Any = None
    failure: str | None = None
    seconds: float = 0.0
    attempts: int = 0
    log: Path | None = None
    who: str = ""


@dataclass(frozen=True)
class Ended:
    """How one attempt at a work ended.

    Attributes:
        key: of the work.
        how: ``done``; ``failed``, which another attempt would too; ``killed`` by a signal, or with
            the worker; ``busy``, as somebody else is at the same.
        value: what the call returned.
        reason: of any other end, in one line.
        seconds: that it took.
        who: the machine and process.
    """

    key: str
    how: How
    value: Any = None
    reason: str = ""
    seconds: float = 0.0
    who: str = ""

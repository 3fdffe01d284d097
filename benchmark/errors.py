"""The errors that a user can cause: each becomes one line and an exit status."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches

from benchmark.plain_text import LONGEST_NAME, plain, plain_list

__all__ = [
    "BenchmarkError",
    "CheckFailedError",
    "DivergedError",
    "InputError",
    "NoRoomError",
    "PrunedError",
    "RefusedError",
    "did_you_mean",
    "nearest",
    "out_of_memory",
]


_NO_MEMORY = ("allocate memory", "out of memory", "bad_alloc", "failed to map segment")

LONGEST_LIST = 300
"""The most characters of a list of known names that an error shows: a longer one is not read."""


class BenchmarkError(Exception):
    """Base of all errors whose message is meant for the user, without a traceback."""

    exit_status = 2


class InputError(BenchmarkError):
    """Bad usage or bad input: the message names the file, line or field, and the mend."""


class RefusedError(InputError):
    """A model cannot work with its settings: whoever tries them again is refused again."""


class NoRoomError(InputError):
    """Something does not fit into the memory that is there; on another machine it may."""


class DivergedError(BenchmarkError):
    """What was learned is not finite: a loss, a weight or a score. The settings are to blame."""


class PrunedError(BenchmarkError):
    """A training was ended early, since others did better with as much of theirs: no fault."""


class CheckFailedError(BenchmarkError):
    """A check ran to its end and its answer is no (``data audit``, ``leaderboard --check``)."""

    exit_status = 1


def out_of_memory(error: BaseException) -> bool:
    """Return whether memory was exhausted, here or in what led to the error.

    torch and the system's loader have no type of their own for it.
    """
    return any(map(_is_of_memory, _led_by(error)))


def _led_by(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it; where these lead round in a circle, each once."""
    led: BaseException | None = error
    met: set[int] = set()
    while led is not None and id(led) not in met:
        yield led
        met.add(id(led))
        led = led.__cause__ or led.__context__


def _is_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, (RuntimeError, OSError, ImportError)):
        return False
    text = ""
    with suppress(Exception):  # an exception of somebody else, which may have a text of its own
        text = str(error).lower()
    return any(sign in text for sign in _NO_MEMORY)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that ``name`` may be a slip of; upper and lower case do not count.

    A name that has it as a whole word is nearer than any that is spelled alike.
    """
    lower = {each.lower(): each for each in sorted(known, reverse=True)}
    holding = sorted((each for each in lower if name.lower() in each.split("_")), key=len)
    near = holding[:1] or get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    return lower[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name, else the list of known names.

    Known names may come from a file: each is shown in one line and cut where it is long. A list too
    long to be read is left out.
    """
    known = sorted(known)
    near = nearest(name, known)
    if near is not None:
        return f"; did you mean '{plain(near, LONGEST_NAME)}'?"
    listed = plain_list(known) if len(known) <= LONGEST_LIST else ""  # of a whole catalogue
    return f"; known: {listed}" if 0 < len(listed) <= LONGEST_LIST else ""

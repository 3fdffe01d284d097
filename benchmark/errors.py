"""The errors that a user can cause: each becomes one line and an exit status."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["BenchmarkError", "CheckFailedError", "InputError", "did_you_mean", "nearest"]


MOST_NAMES = 60
"""The longest list of known names that an error shows."""


class BenchmarkError(Exception):
    """Base of all errors whose message is meant for the user, without a traceback."""

    exit_status = 2


class InputError(BenchmarkError):
    """Bad usage or bad input: the message names the file, line or field, and the mend."""


class CheckFailedError(BenchmarkError):
    """A check ran to its end and its answer is no (``data audit``, ``leaderboard --check``)."""

    exit_status = 1


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that ``name`` may be a slip of; upper and lower case do not count."""
    plain = {each.lower(): each for each in sorted(known, reverse=True)}
    near = get_close_matches(name.lower(), plain, n=1, cutoff=0.5)
    return plain[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name, else the list of known names.

    A list too long to be read is left out.
    """
    known = sorted(known)
    near = nearest(name, known)
    if near is not None:
        return f"; did you mean '{near}'?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= MOST_NAMES else ""

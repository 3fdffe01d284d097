"""Run records by what they are named by."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.errors import InputError, did_you_mean
from benchmark.results.record import RunRecord

__all__ = ["matching", "names_of"]


def names_of(records: Iterable[RunRecord], what: str) -> list[str]:
    """Return the different values of a name in ``run.json``, sorted."""
    return sorted({record.info[what] for record in records})


def matching(records: Iterable[RunRecord], what: str, value: str) -> tuple[RunRecord, ...]:
    """Return the records that have a value.

    Raises:
        InputError: none has it.
    """
    every = tuple(records)
    found = tuple(record for record in every if record.info[what] == value)
    if not found:
        raise InputError(f"no run of {what} '{value}'{did_you_mean(value, names_of(every, what))}")
    return found

"""What pydantic found wrong with values that somebody else wrote, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.plain_text import plain

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

__all__ = ["first_fault", "message_of"]


def first_fault(error: ValidationError) -> str:
    """Return the first fault that was found, and how many more there are."""
    faults = error.errors(include_url=False, include_context=False)
    field = ".".join(plain(str(part), 60) for part in faults[0]["loc"])
    message = message_of(faults[0])
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return plain(f"{field}: {message}" if field else message) + more


def message_of(fault: ErrorDetails) -> str:
    """Return what one fault says; of a check of our own, its words alone."""
    return fault["msg"].removeprefix("Value error, ")

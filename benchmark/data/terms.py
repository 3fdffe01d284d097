"""What is asked and by which rules, in the words of cards, records and commands.

Everybody takes them from here, listings too, so nothing is imported that takes time.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, get_args

__all__ = ["PROTOCOLS", "Leakage", "Protocol", "Seen", "Task", "TaskName"]

Protocol = Literal["full", "sampled", "given"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
"""The whole catalogue, negatives that were drawn, and lists that the data itself brings."""
Leakage = Literal["safe", "paper"]
"""Whether twins and target pairs are removed from training, or left as published code does."""
Seen = Literal["exclude", "keep"]
"""Whether the whole catalogue is ranked for ``rec`` without the items of the history, or with."""
TaskName = Literal["rec", "search"]
"""A :class:`Task` as text."""


class Task(str, Enum):
    """What is ranked for."""

    REC = "rec"
    SEARCH = "search"

    def __str__(self) -> str:
        return self.value

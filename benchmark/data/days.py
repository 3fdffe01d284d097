"""Calendar days of a time zone, whatever unit the times of a log have."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError

__all__ = ["UNITS", "is_zone", "midnights", "moment_of", "unit_of"]

UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_YEARS = (1971, 2100)
"""Between them no time can be taken for one of another unit."""


def is_zone(name: str) -> bool:
    """Return whether a time zone of this name is known, as ``Asia/Shanghai`` is."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def midnights(times: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Return the moments at which the days of ``times`` begin in a zone, in the unit of ``times``.

    The unit is told by the size of the numbers: seconds, or thousandths and so on, since 1970. The
    first of the moments is not later than any time, and the day of the last holds the latest.

    Args:
        times: ``[events]``, at least one.
        zone: name of the time zone.

    Raises:
        InputError: the times are no moments from 1971 to 2100 in any unit.
    """
    first, last = int(times.min()), int(times.max())
    unit = unit_of(first, last)
    if unit is None:
        raise InputError(
            f"the days split needs times from {_YEARS[0]} to {_YEARS[1]}, in {', '.join(UNITS)}"
            f" since 1970; these run from {first} to {last}; name another split in the card"
        )
    each = UNITS[unit]
    begin, end = (_day(moment // each, zone) for moment in (first, last))
    days = [begin + timedelta(days=i) for i in range((end - begin).days + 1)]
    return np.array([_midnight(day, zone) * each for day in days], dtype=np.int64)


def unit_of(first: int, last: int) -> str | None:
    """Return the unit, a name of :data:`UNITS`, in which times are moments from 1971 to 2100.

    Args:
        first: the earliest.
        last: the latest.

    Returns:
        ``None`` where they are no such moments in any unit, as positions are not.
    """
    low, high = (datetime(year, 1, 1, tzinfo=timezone.utc).timestamp() for year in _YEARS)
    fits = (u for u, each in UNITS.items() if low * each <= first and last < high * each)
    return next(fits, None)


def moment_of(time: int, unit: str) -> datetime:
    """Return the moment of a time in a unit, in UTC and whole seconds."""
    return datetime.fromtimestamp(time // UNITS[unit], timezone.utc)


def _day(second: int, zone: str) -> date:
    return datetime.fromtimestamp(second, ZoneInfo(zone)).date()


def _midnight(day: date, zone: str) -> int:
    """Return the first second of a day, also where its midnight is skipped or comes twice."""
    return int(datetime.combine(day, time(), ZoneInfo(zone)).timestamp())

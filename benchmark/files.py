"""Files that are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark.errors import InputError

__all__ = ["writing"]


@contextmanager
def writing(file: Path) -> Iterator[Path]:
    """Give a file beside ``file`` to be written, then put it in its place.

    Raises:
        InputError: it cannot be written; what was there before still is.
    """
    unfinished = file.with_name(f".{file.name}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(file)
    except (OSError, RuntimeError) as error:  # torch.save tells of a full disk by the latter
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise InputError(f"{file}: cannot be written: {reason}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)

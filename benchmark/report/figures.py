"""Figures that need no display, as files whose bytes follow from what they show."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PICTURES", "drawing", "file_of"]

PICTURES = (".svg", ".png")
"""The endings of files that :func:`file_of` can fill."""
_RULES: dict[Any, Any] = {
    "svg.hashsalt": "benchmark",
    "svg.fonttype": "none",
    "text.parse_math": False,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw under rules by which a text is a text and the same figure gives the same bytes."""
    from matplotlib import rc_context

    with rc_context(_RULES), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # boxes stand for them
        yield


def file_of(figure: Figure, ending: str) -> bytes:
    """Return a figure as a file that ends so, one of :data:`PICTURES`; see :func:`drawing`."""
    kind = ending.removeprefix(".")
    drawn = BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with drawing():
        figure.savefig(drawn, format=kind, metadata=metadata, dpi=120)
    return drawn.getvalue()

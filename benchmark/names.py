"""Names and the paths made of them: what is read never decides where is written.

A name is what a data set, a model, a run or an outside system is called. It may come out of a file
that somebody else wrote, and becomes part of a path; so it has an alphabet, and the path is proved
to lie below its root.
"""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path, PurePath

from benchmark.errors import InputError
from benchmark.plain_text import plain

__all__ = ["as_name", "below", "check_name", "inside", "is_name", "leads_out"]

_LONGEST = 150
"""Bytes of a name in UTF-8: file systems take 255, and a digest or an ending may follow."""

_SIGNS = frozenset("._+:-")


def is_name(text: object) -> bool:
    """Return whether ``text`` is a name.

    A name has letters and digits of any script, and ``. _ + : -`` behind the first character; it
    has at most 150 bytes in UTF-8 and is in Unicode's composed form (NFC).
    """
    return (
        isinstance(text, str)
        and 0 < len(text.encode("utf-8", "replace")) <= _LONGEST
        and unicodedata.category(text[0])[0] in "LN"
        and all(c in _SIGNS or unicodedata.category(c)[0] in "LMN" for c in text)
        and unicodedata.is_normalized("NFC", text)
    )


def check_name(text: object, what: str) -> str:
    """Return ``text`` if it is a name.

    Args:
        text: what was read.
        what: names it in the error, as in ``"--name"`` or ``"model"``.

    Raises:
        InputError: it is none.
    """
    if not (isinstance(text, str) and is_name(text)):
        raise InputError(
            f"{what} {ascii(text)[:80]}: is no name; use letters and digits, and . _ + : - behind"
            f" the first, {_LONGEST} bytes at most"
        )
    return text


def as_name(text: str) -> str:
    """Return a name for any text; names of different texts differ.

    A text that is a name stays as it is. Of any other, what no name may hold becomes a dash, and
    six hex digits of the text's SHA-256 keep it apart from its likes.
    """
    if is_name(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    composed = unicodedata.normalize("NFC", text.strip())
    kept = (c if c in _SIGNS or unicodedata.category(c)[0] in "LMN" else "-" for c in composed)
    plain = "".join(kept).lstrip("._+:-").encode("utf-8", "replace")[: _LONGEST - 7]
    name = f"{plain.decode('utf-8', 'ignore').rstrip('-')}-{digest}".lstrip("-")
    return name if is_name(name) else f"name-{digest}"


def below(root: Path, *names: str) -> Path:
    """Return ``root / names…``, proved to lie below ``root``.

    A colon in a name, which not every file system takes, becomes a dash.

    Raises:
        InputError: one of them is no name, or a link leads elsewhere.
    """
    path = root.joinpath(*(check_name(name, str(root)).replace(":", "-") for name in names))
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{path}: a link leads out of {root}; put a folder in its place")
    return path


def leads_out(path: str) -> bool:
    """Return whether a path that was read, taken from a folder, leads anywhere but below it."""
    return "\0" in path or PurePath(path).is_absolute() or ".." in PurePath(path).parts


def inside(root: Path, path: str) -> Path:
    """Return ``root / path``, proved to lie below ``root``; its parts need be no names.

    Raises:
        InputError: it is absolute or leads up, or a link leads elsewhere.
    """
    whole = root / path
    try:
        if not leads_out(path) and whole.resolve().is_relative_to(root.resolve()):
            return whole
    except (OSError, RuntimeError):  # a circle of links
        pass
    raise InputError(
        f"{plain(path, 80)}: leads out of {plain(str(root))}; put what it names below that folder"
    )

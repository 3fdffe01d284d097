"""Bare folders: a card made up for atomic files that come without one, every choice told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmark.data.card import Card, FileKind, SourceFile
from benchmark.data.sources.diagnose import Field, parse_header
from benchmark.errors import InputError

__all__ = ["bare_card"]

_TITLES = ("title", "movie_title", "item_name", "name", "book_title", "product_title")


def bare_card(folder: Path, taken: Iterable[str], notify: Callable[[str], object]) -> Card:
    """Return a card for a folder of atomic files.

    Leave-one-out, ``leakage: safe``, all text columns of the ``.item`` file as text; searches only
    where the files hold queries.

    Args:
        folder: holds ``NAME.inter`` and optionally ``.item``, ``.query`` and ``.user``.
        taken: names of cards, which the made-up name keeps away from.
        notify: is called with each choice made.

    Raises:
        InputError: there is no ``.inter`` file, or several, or the ``.item`` header is malformed.
    """
    stem = _stem(folder)
    files: dict[FileKind, SourceFile] = {"inter": SourceFile(name=f"{stem}.inter")}
    kinds: tuple[FileKind, ...] = ("item", "query", "user")
    for kind in kinds:
        if (folder / f"{stem}.{kind}").is_file():
            files[kind] = SourceFile(name=f"{stem}.{kind}")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).lstrip("._-") or "data"
    if name in taken:
        name += "-bare"
    title, text = _texts(folder / f"{stem}.item") if "item" in files else (None, ())
    notify(f"{name}: no card in {folder}; leave-one-out, leakage safe, 99 sampled negatives")
    if title or text:
        notify(f"{name}: items' text is {', '.join(filter(None, (title, *text)))}")
    else:
        notify(f"{name}: items have no text")
    notify(
        f"{name}: "
        + (
            "searches as the files hold them"
            if "query" in files
            else "no queries: recommendation only"
        )
    )
    return Card(
        name=name,
        description=f"Atomic files in {folder.name}/, without a card.",
        source=str(folder),
        licence="unknown",
        citation="",
        files=files,
        title="{" + title + "}" if title else None,
        text=text,
    )


def _stem(folder: Path) -> str:
    if (folder / f"{folder.name}.inter").is_file():
        return folder.name
    found = sorted(p.stem for p in folder.glob("*.inter"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{stem}.inter" for stem in found[:5])
        raise InputError(
            f"{folder.name}: several files could be meant ({names}); name one {folder.name}.inter"
        )
    raise InputError(f"{folder.name}: no file {folder.name}.inter in {folder}")


def _texts(path: Path) -> tuple[str | None, tuple[str, ...]]:
    """Return the column that is the title, if any, and the further columns that are text."""
    fields: tuple[Field, ...] = parse_header(path, {"item_id": "token"}, {"item_id": "token"})
    named = [f.name for f in fields if f.type == "token_seq"]
    title = next((n for n in _TITLES if n in (f.name for f in fields)), None)
    return title, tuple(n for n in named if n != title)

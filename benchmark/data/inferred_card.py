"""Bare folders: a card made up for atomic files that come without one, every choice told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmark.data.card import Card, SourceFile
from benchmark.data.sources.atomic.header import parse_header
from benchmark.errors import InputError
from benchmark.names import as_name
from benchmark.plain_text import plain

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
    files: dict[str, SourceFile] = {"inter": SourceFile(name=f"{stem}.inter")}
    kinds: tuple[str, ...] = ("item", "query", "user")
    for kind in kinds:
        if os.path.lexists(folder / f"{stem}.{kind}"):
            files[kind] = SourceFile(name=f"{stem}.{kind}")
    name, taken = as_name(folder.name), set(taken)
    while name in taken:
        name = as_name(f"{name}-bare")
    title, text = _texts(folder / f"{stem}.item") if "item" in files else (None, ())
    shown = plain(str(folder))
    notify(f"{name}: no card in {shown}; leave-one-out, leakage safe, 99 sampled negatives")
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
    name, found = (
        plain(folder.name, 80),
        sorted(
            entry.name.removesuffix(".inter")
            for entry in os.scandir(folder)
            if entry.name.endswith(".inter")
        ),
    )
    if folder.name in found:
        return folder.name
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{plain(stem, 40)}.inter" for stem in found[:5])
        raise InputError(f"{name}: several files could be meant ({names}); name one {name}.inter")
    raise InputError(f"{name}: no file {name}.inter in {plain(str(folder))}")


def _texts(path: Path) -> tuple[str | None, tuple[str, ...]]:
    """Return the column that is the title, if any, and the further columns that are text."""
    fields = parse_header(path, {"item_id": "token"})
    named = [f.name for f in fields if f.type == "token_seq"]
    title = next((n for n in _TITLES if n in (f.name for f in fields)), None)
    return title, tuple(n for n in named if n != title)

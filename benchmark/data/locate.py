"""Where cards and files lie: from a name or a folder to a card and the folder of its files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from benchmark.data.card import Card, read_card
from benchmark.data.inferred_card import bare_card
from benchmark.errors import InputError, did_you_mean

__all__ = ["Notify", "card_names", "cards_folder", "data_folder", "no_cards", "resolve"]

Notify = Callable[[str], object]
"""Takes a line worth telling the user."""


def cards_folder() -> Path:
    """Return the folder of cards: ``$BENCHMARK_DATASETS``, the repository's, or the package's.

    A wheel has them inside of the package, a checkout beside it.
    """
    if chosen := os.environ.get("BENCHMARK_DATASETS"):
        return Path(chosen)
    inside_package = repository_root() / "benchmark" / "cards"
    return inside_package if inside_package.is_dir() else repository_root() / "datasets"


def repository_root() -> Path:
    """Return the folder that holds the ``benchmark`` package."""
    return Path(__file__).resolve().parents[2]


def card_names() -> tuple[str, ...]:
    """Return the names of all cards, sorted."""
    return tuple(sorted(p.parent.name for p in cards_folder().glob("*/card.yaml")))


def no_cards() -> str:
    """Return what to say where there is no card at all."""
    return (
        f"there are no cards in {cards_folder()}; $BENCHMARK_DATASETS names the folder that has"
        " them, or name a data set by its own folder"
    )


def data_folder(card: Card, folder: Path | None) -> Path:
    """Return the folder of a card's files.

    Args:
        card: the card.
        folder: the card's own folder, used where the card gives no location.

    Raises:
        InputError: the package or the folder is not there; the message says where to put it.
    """
    where = card.location
    if where is None:
        return folder or Path()
    if where.package:
        spec = find_spec(where.package)
        if spec is None or not spec.submodule_search_locations:
            raise InputError(
                f"data set '{card.name}' lies in the package '{where.package}', which is not "
                f"installed; run: pip install {where.package}"
            )
        return Path(spec.submodule_search_locations[0]) / where.path
    tried = [repository_root() / where.path]
    if base := os.environ.get("BENCHMARK_DATA"):
        tried.insert(0, Path(base) / card.name)
    for place in tried:
        if place.is_dir():
            return place
    names = ", ".join(f.name for f in card.files.values())
    raise InputError(
        f"data set '{card.name}': no folder {os.path.normpath(tried[-1])}; put {names} there, or "
        f"into a folder {card.name}/ of the folder that $BENCHMARK_DATA names"
    )


def resolve(name_or_path: str | Path, notify: Notify) -> tuple[Card, Path]:
    """Return the card of a data set and the folder where its files lie.

    Raises:
        InputError: neither a card's name nor a folder, or a wrong card.
    """
    text = str(name_or_path)
    if not isinstance(name_or_path, Path) and text in card_names():
        folder = cards_folder() / text
        card = read_card(folder / "card.yaml")
        return card, data_folder(card, folder)
    path = Path(text).expanduser()
    if (path / "card.yaml").is_file():
        card = read_card(path / "card.yaml")
        return card, data_folder(card, path)
    if path.is_dir():
        return bare_card(path.resolve(), card_names(), notify), path.resolve()
    if path.exists():
        raise InputError(f"--dataset {text}: is a file; name the folder that holds it")
    if re.search(r"[/\\]", text) or isinstance(name_or_path, Path):
        raise InputError(f"--dataset {text}: no such folder")
    names = card_names()
    hint = did_you_mean(text, names) if names else f": {no_cards()}"
    raise InputError(f"unknown data set '{text}'{hint}")

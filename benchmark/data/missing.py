"""Files that a card names and that are not there: which, how to get them, and where to put them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmark.data.card import Card
from benchmark.data.downloads import Download
from benchmark.data.resume import bytes_text
from benchmark.plain_text import plain

__all__ = ["CONSENT", "downloads_of", "how_to_get", "missing_files"]

CONSENT = "--accept-licence"
_SHOWN = 3
"""Names of files that one line shows."""
_LONGEST = 500
"""Characters of a licence or of advice in one line."""


def missing_files(card: Card, folder: Path) -> tuple[str, ...]:
    """Return which files of a card are not in a folder, as the card calls them.

    One that is there and cannot be read, or that is a link to nowhere, is not missing.
    """
    return tuple(kind for kind, file in card.files.items() if _is_missing(folder / file.name))


def downloads_of(card: Card, missing: Sequence[str]) -> list[Download]:
    """Return the downloads of a card that hold any of these files."""
    return [each for each in card.fetch if {*each.holds(card.files)} & {*missing}]


def how_to_get(card: Card, missing: Sequence[str], folder: Path, asked: str) -> str:
    """Return the line that tells of missing files and how to get them.

    Args:
        card: the card.
        missing: the files, as the card calls them.
        folder: where they have to be.
        asked: how the user named the data set.
    """
    names = _listed([card.files[kind].name for kind in missing])
    several = "s" if len(missing) > 1 else ""
    parts = [f"data set '{card.name}': {names}: no such file{several} in {plain(str(folder))}"]
    if downloads := downloads_of(card, missing):
        command = f"python -m benchmark data prepare {shlex.quote(plain(asked))} {CONSENT}"
        what = f"{_size(downloads)} from {_places(card, downloads, missing)}"
        parts.append(f"{command} downloads {what}, under its licence: {_sentence(card.licence)}")
    held = {kind for each in downloads for kind in each.holds(card.files)}
    if rest := [kind for kind in missing if kind not in held]:
        which = _listed([card.files[kind].name for kind in rest]) if downloads else "them"
        which = "it" if which == "them" and len(rest) == 1 else which
        parts.append(f"put {which} there" + (f": {_sentence(card.obtain)}" if card.obtain else ""))
    return "; ".join(parts)


def _is_missing(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _size(downloads: Sequence[Download]) -> str:
    known = [each.size for each in downloads if each.size is not None]
    if not known:
        return "what the card knows no size of"
    total = bytes_text(sum(known))
    return (
        total
        if len(known) == len(downloads)
        else f"{total} and files whose size the card does not know"
    )


def _places(card: Card, downloads: Sequence[Download], missing: Sequence[str]) -> str:
    """Return the URL of what is downloaded, or of more the hosts."""
    if len(downloads) == 1:
        kinds = [kind for kind in downloads[0].holds(card.files) if kind in missing]
        if len(kinds) == 1 or not downloads[0].for_each:
            return downloads[0].url_of(card.files[kinds[0]].name)
    hosts = dict.fromkeys(urlsplit(each.url).netloc for each in downloads)
    return f"{_listed([*hosts])} (the card has the URLs)"


def _listed(names: Sequence[str]) -> str:
    shown = [plain(name, 160) for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        return f"{', '.join(shown)} and {len(names) - _SHOWN} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _sentence(text: str) -> str:
    return plain(" ".join(text.split()), _LONGEST).removesuffix(".")

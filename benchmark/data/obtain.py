"""Getting the files of a data set that are missing: downloaded, proved, unpacked, put in place.

Nothing here happens unasked: ``data prepare --accept-licence`` alone calls it. A file has its name
only once it is whole and proved; what is not, lies in a folder of its own beside the files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import cast
from urllib.parse import unquote, urlsplit

from benchmark.data.archives import LIMITS, Archive, Limits, prove, unpack
from benchmark.data.card import Card
from benchmark.data.downloads import Download
from benchmark.data.locate import find_card, place_of_files
from benchmark.data.missing import downloads_of, how_to_get, missing_files
from benchmark.data.resume import Resuming
from benchmark.errors import InputError
from benchmark.files import flush, open_regular
from benchmark.folders import prune, workplace
from benchmark.locks import locked
from benchmark.names import as_name, inside
from benchmark.plain_text import plain
from benchmark.run_log import RunLog, Ticker
from benchmark.unfinished import remove

__all__ = ["obtain"]

_STAGE = ".download"
_LOOKED_AT = 1024
_BEGINS = {".gz": b"\x1f\x8b", ".zip": b"PK", ".parquet": b"PAR1"}
_MEGABYTE = 10**6


def obtain(name_or_path: str | Path, limits: Limits = LIMITS) -> tuple[str, ...]:
    """Download the files of a data set that are missing, and return their names.

    Whoever calls this has the user's consent to the licence that the card states. Files that are
    there are never touched. Of two processes one downloads and the other waits for it.

    Args:
        name_or_path: a card's name, or a folder with a card.
        limits: of what an archive may unpack to.

    Raises:
        InputError: the card says nothing about downloading what is missing, it cannot be had, or is
            not what the card describes; the message says what is kept for the next try.
        BusyError: another process downloads it, and takes long.
    """
    found = find_card(name_or_path)
    if found is None:
        return ()
    card, own = found
    folder = place_of_files(card, own)
    missing = missing_files(card, folder)
    if not missing or (card.location and card.location.package):
        return ()
    if not downloads_of(card, missing):
        raise InputError(how_to_get(card, missing, folder, str(name_or_path)))
    stage = inside(folder, _STAGE)
    try:
        with locked(stage):
            missing = missing_files(card, folder)  # another process may have been here
            try:
                for download in downloads_of(card, missing):
                    _obtain(card, download, missing, folder, limits)
                remove(stage)
            finally:
                prune(stage, folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written to: {error.strerror or error}; the same command goes on"
            f" with what came, which is kept in {stage}"
        ) from None
    finally:
        prune(folder, folder.parent)
    return tuple(card.files[kind].name for kind in missing)


def _obtain(
    card: Card, download: Download, missing: Sequence[str], folder: Path, limits: Limits
) -> None:
    """Download one archive, or each file by itself, and put what is missing in its place."""
    kinds = [kind for kind in download.holds(card.files) if kind in missing]
    if not download.of_one:
        came = _downloaded(download, download.url, folder / _STAGE)
        with _gone_if_refused(came, download.url):
            _place_members(card, came, download, kinds, folder, limits)
        remove(came)
        return
    for kind in kinds:
        url = download.url_of(card.files[kind].name)
        came = _downloaded(download, url, folder / _STAGE)
        with _gone_if_refused(came, url):
            if download.archive == "none":
                _prove(came, card.files[kind].name, limits)
                _check_sum(card, kind, came)
                _place(card, kind, came, folder)
            else:
                _place_members(card, came, download, [kind], folder, limits)
        remove(came)


def _downloaded(download: Download, url: str, stage: Path) -> Path:
    """Return the file that a URL gives, whole, of the size and checksum that the card states."""
    import pooch

    pooch.get_logger().setLevel(logging.ERROR)
    shown = PurePosixPath(unquote(urlsplit(url).path)).name or "file"
    name = f"{sha256(url.encode()).hexdigest()[:8]}-{as_name(shown)}"
    stage.mkdir(parents=True, exist_ok=True)
    with _progress(f"downloading {plain(shown, 80)}, MB") as reached:
        resuming = Resuming(
            stage / f"{name}.partial", download.size, download.checksum is not None, reached
        )
        try:
            pooch.retrieve(url, download.checksum, fname=name, path=stage, downloader=resuming)
        except ValueError:  # as pooch tells a wrong checksum
            raise InputError(
                f"{url}: what came has not the checksum of the card, {download.checksum}; it is"
                " another version, or was changed on its way, and nothing of it is kept"
            ) from None
    return stage / name


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Give what shows how many bytes are there of how many, which is known later."""
    with ExitStack() as stack:
        tickers: list[Ticker] = []

        def reached(there: int, whole: int) -> None:
            if not tickers:
                progress = RunLog().progress(label, whole / _MEGABYTE)
                tickers.append(stack.enter_context(progress))
            tickers[0].reach(there / _MEGABYTE)

        yield reached


def _place_members(
    card: Card, packed: Path, download: Download, kinds: Sequence[str], folder: Path, limits: Limits
) -> None:
    """Unpack files, and put them in their places once all of them are whole and proved."""
    with workplace(folder / "unpacked") as draft:
        places = {kind: draft / str(number) for number, kind in enumerate(kinds)}
        below = PurePosixPath(download.below)
        wanted = {str(below / card.files[kind].name): place for kind, place in places.items()}
        unpack(packed, cast(Archive, download.archive), wanted, limits)
        for kind, place in places.items():
            _check_sum(card, kind, place)
        for kind, place in places.items():
            _place(card, kind, place, folder)


def _place(card: Card, kind: str, came: Path, folder: Path) -> None:
    place = inside(folder, card.files[kind].name)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(place):
        flush(came)
        came.replace(place)
        flush(place.parent)


def _check_sum(card: Card, kind: str, came: Path) -> None:
    import pooch

    file = card.files[kind]
    if file.sha256 is not None and pooch.file_hash(came) != file.sha256:
        raise InputError(
            f"its {plain(file.name, 80)} has not the checksum of the card, {file.sha256[:12]}…; it"
            " is another version"
        )


def _prove(came: Path, name: str, limits: Limits) -> None:
    """Prove that a file is what its name says, as far as its format can.

    Raises:
        InputError: it is a web page, of another format, or damaged.
    """
    with open_regular(came) as file:
        head = file.read(_LOOKED_AT)
        file.seek(-min(4, came.stat().st_size), os.SEEK_END)
        tail = file.read(4)
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise InputError("is a web page and not the file")
    ending = PurePosixPath(name).suffix.lower()
    begins = _BEGINS.get(ending, b"")
    if not head.startswith(begins) or (ending == ".parquet" and tail != begins):
        raise InputError(f"is no {ending} file, or cut short")
    if ending in (".gz", ".zip"):
        prove(came, "gz" if ending == ".gz" else "zip", limits)


@contextmanager
def _gone_if_refused(came: Path, url: str) -> Iterator[None]:
    """Remove what came where it is refused, or the next try would take it for good."""
    try:
        yield
    except InputError as error:
        remove(came)
        raise InputError(f"{url}: {error}; nothing of it is kept") from None

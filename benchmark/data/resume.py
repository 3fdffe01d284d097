"""Downloading a file over HTTP so that an interrupted download goes on where it stopped.

What came is kept in a file beside the one that is wanted, with what the server calls its version;
the next try asks for the rest, of that version only (RFC 9110, sections 13.1.5 and 14).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from benchmark.data.downloads import fault_of_url, is_of_this_machine
from benchmark.errors import InputError
from benchmark.plain_text import plain
from benchmark.unfinished import remove

if TYPE_CHECKING:
    import requests

__all__ = ["Resuming", "bytes_text"]

_CHUNK = 2**18
_WAIT = (20.0, 60.0)
"""Seconds until there is a connection, and between two pieces of an answer."""
_REDIRECTS = 8
_SPARE = 2**26
"""Bytes that are left free on the disk."""
_LONGEST = 10**4
"""Bytes of what is remembered of a version."""

Reached = Callable[[int, int], object]
"""Is called with the bytes that are there, and the bytes that there will be."""


def bytes_text(count: int) -> str:
    """Return a number of bytes for a person: ``2.6 MB``."""
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit}"
    return f"{count} bytes"


class _LeadsAwayError(Exception):
    """A redirect leads where nothing is downloaded from; the message says where."""


@dataclass(frozen=True)
class _Answer:
    """What the head of an answer says.

    Attributes:
        start: the first byte that comes; what is there already counts if it is more than 0.
        total: bytes of the whole file.
        version: what the server calls the file's version, empty if nothing.
    """

    start: int
    total: int
    version: str


class Resuming:
    """A downloader for :func:`pooch.retrieve` that goes on where an interrupted one stopped.

    Args:
        kept: the file that holds what came; it is gone once the whole file is there.
        size: bytes that the file is known to have.
        proved: whether its checksum is known, so that rests of two versions are told apart even
            where the server names no version.
        reached: is told how far it is.
    """

    def __init__(self, kept: Path, size: int | None, proved: bool, reached: Reached) -> None:
        self._kept, self._size, self._proved, self._reached = kept, size, proved, reached
        self._about = kept.with_name(f"{kept.name}.json")

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download ``url`` to ``output_file``.

        Raises:
            InputError: it cannot be had; the message says why, and what is kept.
        """
        import requests
        from urllib3.exceptions import HTTPError

        try:
            with requests.Session() as session:
                session.trust_env = not is_of_this_machine(url)  # no proxy leads there
                self._all_of(session, url)
        except _LeadsAwayError as error:
            raise InputError(f"{url}: {error}; nothing is downloaded from there") from None
        except (requests.RequestException, HTTPError) as error:
            raise InputError(f"{url}: {_reason(error)}; {self._said_of_kept()}") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(
                f"{self._kept.parent}: cannot be written to: {reason}; {self._said_of_kept()}"
            ) from None
        Path(self._kept).replace(output_file)
        remove(self._about)

    def _all_of(self, session: requests.Session, url: str) -> None:
        have, version = self._have(url)
        if self._size is not None and have == self._size:
            return  # it came whole, and the process died
        with _asked(session, url, have, version) as response:
            if not have or response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._take(response, url, have)
                return
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return  # likewise
        # What is kept is no beginning of the file that is there now.
        with _asked(session, url, 0, "") as response:
            self._take(response, url, 0)

    def _take(self, response: requests.Response, url: str, have: int) -> None:
        answer = self._read_head(response, url, have)
        self._check_room(answer)
        if answer.start == 0:
            self._begin(url, answer.version)
        there = answer.start
        # Unbuffered: what is kept is what came, even if the process is killed.
        with self._kept.open("r+b" if there else "wb", buffering=0) as file:
            file.truncate(there)
            file.seek(there)
            self._reached(there, answer.total)
            while chunk := response.raw.read1(_CHUNK, decode_content=False):
                there += len(chunk)
                if there > answer.total:
                    remove(self._kept)
                    raise InputError(
                        f"{url}: sends more than the {answer.total:,} bytes that it announces"
                    )
                file.write(chunk)
                self._reached(there, answer.total)
        if there < answer.total:
            raise InputError(
                f"{url}: the answer broke off at {there:,} of {answer.total:,} bytes;"
                f" {self._said_of_kept()}"
            )

    def _read_head(self, response: requests.Response, url: str, have: int) -> _Answer:
        status, headers = response.status_code, response.headers
        if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            said = " ".join(filter(None, (str(status), plain(response.reason or "", 60))))
            raise InputError(f"{url}: the server answers {said}")
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            raise InputError(f"{url}: the server answers with a web page, not with the file")
        if headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise InputError(f"{url}: the server packs the file for the way, unasked")
        start, total = 0, headers.get("Content-Length", "")
        if status == HTTPStatus.PARTIAL_CONTENT:
            told = re.fullmatch(
                r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", headers.get("Content-Range", "")
            )
            if told is None or not have or int(told[1]) != have:
                raise InputError(f"{url}: the server sends another part than it was asked for")
            start, total = have, told[2]
        if not re.fullmatch(r"\d{1,18}", total):
            raise InputError(f"{url}: the server does not say how large the file is")
        if self._size is not None and int(total) != self._size:
            raise InputError(
                f"{url}: the file has {int(total):,} bytes, that of the card {self._size:,}; it is"
                " another version"
            )
        etag = headers.get("ETag", "")
        strong = etag if etag.startswith('"') else ""
        return _Answer(start, int(total), strong or headers.get("Last-Modified", ""))

    def _check_room(self, answer: _Answer) -> None:
        needed = answer.total - answer.start
        free = shutil.disk_usage(self._kept.parent).free
        if needed + _SPARE > free:
            raise InputError(
                f"{self._kept.parent}: {bytes_text(needed)} are needed and {bytes_text(free)} are"
                f" free; make room there, or let $BENCHMARK_DATA name a folder elsewhere"
            )

    def _begin(self, url: str, version: str) -> None:
        for each in (self._kept, self._about):
            remove(each)  # which may be a link, in a folder of somebody else's
        self._about.write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")

    def _have(self, url: str) -> tuple[int, str]:
        """Return how many bytes of the file are there, and of which version."""
        with suppress(OSError, ValueError, TypeError, LookupError):
            with self._about.open("rb") as file:
                about = json.loads(file.read(_LONGEST))
            version = str(about["version"])
            if about["url"] == url and (version or self._proved) and not self._kept.is_symlink():
                return self._kept.stat().st_size, version
        return 0, ""

    def _said_of_kept(self) -> str:
        with suppress(OSError, ValueError, TypeError, LookupError):
            about = json.loads(self._about.read_text(encoding="utf-8"))
            have = self._kept.stat().st_size
            if have and (about["version"] or self._proved):
                return f"{bytes_text(have)} are kept, and the same command goes on from there"
        remove(self._kept)
        remove(self._about)
        return "nothing is kept; try again later"


def _asked(session: requests.Session, url: str, have: int, version: str) -> requests.Response:
    """Return the answer, its body unread, to whom it may concern behind redirects.

    Raises:
        _LeadsAwayError: a redirect leads where somebody may listen or change what comes, or from
            elsewhere to this machine.
    """
    # Packed for the way only, ranges would count packed bytes.
    headers = {"Accept-Encoding": "identity", "User-Agent": "search-rec-benchmark"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version:
            headers["If-Range"] = version
    place = url
    for _ in range(_REDIRECTS + 1):
        response = session.get(
            place, headers=headers, stream=True, timeout=_WAIT, allow_redirects=False
        )
        if not response.is_redirect:
            return response
        response.close()
        place = urljoin(place, response.headers["Location"])
        fault = fault_of_url(place)
        if fault is None and is_of_this_machine(place) and not is_of_this_machine(url):
            fault = "is this machine"
        if fault is not None:
            raise _LeadsAwayError(f"it leads to {plain(place, 120)}, which {fault}")
    raise _LeadsAwayError(f"it leads from one place to another, {_REDIRECTS} times")


def _reason(error: Exception) -> str:
    """Return why nothing came, or no more."""
    import requests
    from urllib3.exceptions import ReadTimeoutError

    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, (requests.Timeout, ReadTimeoutError)):
        return "the server does not answer"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return "the connection broke off"

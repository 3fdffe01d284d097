"""What a card says about fetching its files: where they are, how large, and what proves them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from benchmark.names import leads_out
from benchmark.plain_text import plain

__all__ = ["Download", "fault_of_fetch", "fault_of_url", "is_of_this_machine"]

_HASHES = {"sha256": 64, "md5": 32}
_LOOPBACK = ("127.0.0.1", "::1")
_PLACEHOLDER = "{name}"


def is_of_this_machine(url: str) -> bool:
    """Return whether a URL names this machine by its loopback address."""
    return urlsplit(url).hostname in _LOOPBACK


def fault_of_url(url: str) -> str | None:
    """Return what is wrong with a URL that something is to be downloaded from.

    What comes must not be read or changed on its way, so it is ``https``; plain ``http`` is for
    this machine alone, by its loopback address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if not url.isascii() or not url.isprintable() or " " in url or not parts.scheme:
        return "is no URL"
    if parts.scheme != "https" and (parts.scheme != "http" or host not in _LOOPBACK):
        return f"is {parts.scheme}, and only https is trusted"
    if not host:
        return "is no URL"
    if parts.username is not None or parts.password is not None:
        return "holds a name or a password"
    return None


def _url(text: str) -> str:
    # The name that takes the placeholder's place is no fault of the URL.
    if (fault := fault_of_url(text.replace(_PLACEHOLDER, "name"))) is not None:
        raise ValueError(f"{fault}; write https://HOST/PATH")
    if _PLACEHOLDER in urlsplit(text).netloc or set("{}") & set(text.replace(_PLACEHOLDER, "")):
        raise ValueError("holds braces other than {name}, which stands in the path")
    return text


def _checksum(text: str) -> str:
    name, _, digest = text.partition(":")
    if _HASHES.get(name) != len(digest) or set(digest) - set("0123456789abcdef"):
        raise ValueError("is no checksum; write sha256:… or md5:… with all hex digits, small")
    return text


def _folder(text: str) -> str:
    if leads_out(text):
        raise ValueError("must be a folder of the archive, named by its path in it")
    return text


class Download(BaseModel):
    """Something to be downloaded that holds files of a card.

    Attributes:
        url: where it is, ``https://…``. ``{name}`` in it stands for the name of a file: each of
            ``files`` is downloaded by itself then.
        files: which files of the card it holds, as the card calls them; all of them unless named.
        archive: what has packed them: ``zip``, ``tar.gz``, or ``gz``, which packs a single file;
            ``none`` where the file is used as it comes, packed or not.
        below: the folder of the archive below which the files have the names of the card.
        size: in bytes, as it is published.
        checksum: ``sha256:…`` or ``md5:…``, as it is published. Without one, what the format itself
            proves is proved (the checksums of members of a zip archive, of gzip), and the size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_url)]
    files: tuple[str, ...] | None = None
    archive: Literal["none", "zip", "tar.gz", "gz"] = "none"
    below: Annotated[str, AfterValidator(_folder)] = "."
    size: Annotated[int, Field(gt=0, lt=2**50)] | None = None
    checksum: Annotated[str, AfterValidator(_checksum)] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Download:
        if self.for_each and (self.size is not None or self.checksum is not None):
            raise ValueError("{name} stands for several files; drop size and checksum")
        if self.for_each and self.archive in ("zip", "tar.gz"):
            raise ValueError("{name} stands for one file; drop archive, or the {name}")
        if self.below != "." and self.archive not in ("zip", "tar.gz"):
            raise ValueError("below names a folder of an archive; drop it, or name the archive")
        return self

    @property
    def for_each(self) -> bool:
        """Whether each file is downloaded by itself."""
        return _PLACEHOLDER in self.url

    @property
    def of_one(self) -> bool:
        """Whether what comes from a URL holds one file."""
        return self.archive in ("none", "gz")

    def holds(self, files: Iterable[str]) -> tuple[str, ...]:
        """Return which of a card's files, as the card calls them, this download holds."""
        return tuple(files) if self.files is None else self.files

    def url_of(self, name: str) -> str:
        """Return the URL of a file, by the name that the card gives it."""
        return self.url.replace(_PLACEHOLDER, quote(name, safe="/"))


def fault_of_fetch(downloads: Iterable[Download], files: Collection[str]) -> str | None:
    """Return why downloads do not fit the files that a card names; ``None`` if they do."""
    held: set[str] = set()
    for each in downloads:
        kinds = each.holds(files)
        for kind in kinds:
            if kind not in files:
                return f"no file is called '{plain(kind, 40)}' on this card"
            if kind in held:
                return f"'{plain(kind, 40)}' is there twice; name the files of each download"
            held.add(kind)
        if each.of_one and not each.for_each and len(kinds) != 1:
            return "a download that is no archive holds one file; name it, or write {name}"
    return None

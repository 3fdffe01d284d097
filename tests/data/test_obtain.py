"""Downloads, against a server on this machine that fails in the ways of servers."""

from __future__ import annotations

import errno
import gzip
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from hashlib import md5, sha256
from pathlib import Path

import pytest
import requests
import yaml

import benchmark.data.resume as module
from benchmark.data.load import load_dataset
from benchmark.data.obtain import obtain
from benchmark.errors import InputError

from .file_server import FileServer, serving
from .test_card import MINIMAL

INTER = ("user_id:token\titem_id:token\ttimestamp:float\n" + "".join(
    f"u{u}\ti{(u * t) % 17}\t{t}\n" for u in range(1, 200) for t in range(1, 16)
)).encode()  # fmt: skip
ITEMS = (
    "item_id:token\ttitle:token_seq\n" + "".join(f"i{i}\tthing {i}\n" for i in range(17))
).encode()
NAMES = {"inter": "ml.inter", "item": "ml.item"}


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as state:
        yield state


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of cards; the user's data folder is ``tmp_path / "data"``."""
    monkeypatch.setenv("BENCHMARK_DATASETS", str(tmp_path / "cards"))
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))
    return tmp_path / "cards"


def zipped(**contents: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in contents.items():
            packed.writestr(name.replace("_", "."), content)
    return file.getvalue()


def checksum(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def card(cards: Path, *fetch: dict, files: dict[str, str] = NAMES, **fields: object) -> Path:
    """Write the card ``mine`` and return the folder that its files belong to."""
    named = {"files": {kind: {"name": name} for kind, name in files.items()}, **fields}
    (cards / "mine").mkdir(parents=True, exist_ok=True)
    values = {**MINIMAL, "licence": "Ask first.", **named, "fetch": list(fetch)}
    (cards / "mine" / "card.yaml").write_text(yaml.safe_dump(values))
    return cards.parent / "data" / "mine"


def archive(server: FileServer, content: bytes | None = None, **fields: object) -> dict:
    """Serve an archive of both files and return what a card says of it."""
    content = zipped(ml_inter=INTER, ml_item=ITEMS) if content is None else content
    server.files["ml.zip"] = content
    known = {"size": len(content), "checksum": checksum(content)}
    return {"url": f"{server.url}/ml.zip", "archive": "zip", **known, **fields}


def left(folder: Path) -> list[str]:
    """Return what lies below a folder, and may lie there while nobody is at work."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def refused(name: str | Path = "mine") -> str:
    with pytest.raises(InputError) as caught:
        obtain(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_missing_is_downloaded_and_nothing_else_is_left(
    server: FileServer, cards: Path
) -> None:
    folder = card(cards, archive(server))
    assert obtain("mine") == ("ml.inter", "ml.item")
    assert left(folder.parent) == ["mine/ml.inter", "mine/ml.item"]
    assert (folder / "ml.inter").read_bytes() == INTER
    assert len(load_dataset("mine").log) == 199 * 15
    assert obtain("mine") == ()
    assert len(server.asked) == 1


@pytest.mark.parametrize("known", [True, False])
def test_files_are_downloaded_one_by_one_packed_or_not(
    server: FileServer, cards: Path, known: bool
) -> None:
    packed = gzip.compress(ITEMS)
    server.files |= {"a%20b/ml.inter": INTER, "x.gz": packed}
    names = {"inter": "a b/ml.inter", "item": "ml.item"}
    proof = {"checksum": f"md5:{md5(packed).hexdigest()}"} if known else {}
    each = {"url": f"{server.url}/{{name}}", "files": ["inter"]}
    one = {"url": f"{server.url}/x.gz", "files": ["item"], "archive": "gz", **proof}
    folder = card(cards, each, one, files=names)
    obtain("mine")
    assert left(folder) == ["a b/ml.inter", "ml.item"]
    assert (folder / "a b" / "ml.inter").read_bytes() == INTER
    assert (folder / "ml.item").read_bytes() == ITEMS


def test_files_that_are_there_stay_and_are_not_asked_for(server: FileServer, cards: Path) -> None:
    folder = card(cards, archive(server))
    folder.mkdir(parents=True)
    (folder / "ml.item").write_bytes(b"my own")
    assert obtain("mine") == ("ml.inter",)
    assert (folder / "ml.item").read_bytes() == b"my own"


def test_a_card_in_a_folder_of_its_own_writes_nowhere_else(
    server: FileServer, cards: Path, tmp_path: Path
) -> None:
    """A card is anybody's: it may have the name of another, whose data it must not touch."""
    card(cards, archive(server), location={"folder": "theirs"})
    shutil.copytree(cards / "mine", tmp_path / "got")
    obtain(tmp_path / "got")
    assert left(tmp_path / "got") == ["card.yaml", "ml.inter", "ml.item"]
    assert not (tmp_path / "data").exists()


def test_links_in_a_folder_of_somebody_elses_are_not_followed(
    server: FileServer, cards: Path, tmp_path: Path
) -> None:
    """What a download needs beside the files has names that whoever made the folder can know."""
    download = archive(server)
    card(cards, download)
    theirs, mine = shutil.copytree(cards / "mine", tmp_path / "got"), tmp_path / "precious"
    mine.write_text("precious")
    (theirs / ".download").symlink_to(tmp_path / "cards")
    assert "leads out" in refused(theirs)
    assert left(tmp_path / "cards") == ["mine/card.yaml"]
    (theirs / ".download").unlink()
    (theirs / ".download").mkdir()
    name = f"{sha256(download['url'].encode()).hexdigest()[:8]}-ml.zip"
    for planted in (f"{name}.partial", f"{name}.partial.json", name):
        (theirs / ".download" / planted).symlink_to(mine)
    obtain(theirs)
    assert mine.read_text() == "precious"
    assert left(theirs) == ["card.yaml", "ml.inter", "ml.item"]


def test_an_interrupted_download_goes_on(server: FileServer, cards: Path) -> None:
    download = archive(server)
    folder, whole = card(cards, download), download["size"]
    server.cut = [whole // 3, whole // 3]
    assert "kB are kept, and the same command goes on from there" in refused()
    assert not (folder / "ml.inter").exists()
    assert "goes on from there" in refused()
    obtain("mine")
    assert server.sent == whole
    assert server.asked == [None, f"bytes={whole // 3}-", f"bytes={2 * (whole // 3)}-"]
    assert left(folder) == ["ml.inter", "ml.item"]


def test_a_killed_download_goes_on(server: FileServer, cards: Path) -> None:
    download = archive(server)
    folder, whole = card(cards, download), download["size"]
    server.cut, server.hold = [whole // 2], True
    code = "from benchmark.data.obtain import obtain; obtain('mine')"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        assert server.held.wait(30)
        partial, end = folder / ".download", time.monotonic() + 20
        while sum(p.stat().st_size for p in partial.glob("*.partial")) < whole // 2:
            assert time.monotonic() < end, "what came is not kept while more is waited for"
        process.send_signal(signal.SIGKILL)
    obtain("mine")
    assert server.sent == whole
    assert left(folder) == ["ml.inter", "ml.item"]


def test_two_processes_download_once(server: FileServer, cards: Path) -> None:
    download = archive(server)
    folder = card(cards, download)
    server.cut, server.hold = [download["size"]], True
    code = "from benchmark.data.obtain import obtain; print(len(obtain('mine')))"
    command = [sys.executable, "-c", code]
    pipe = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipe) as one, subprocess.Popen(command, **pipe) as two:
        assert server.held.wait(30)
        server.going_on.set()
        assert sorted(p.communicate(timeout=30)[0].strip() for p in (one, two)) in (
            ["0", "2"],
            ["2", "2"],
        )
    assert server.sent == download["size"]
    assert left(folder) == ["ml.inter", "ml.item"]


@pytest.mark.parametrize("known", [True, False])
def test_a_rest_of_another_version_is_not_taken_for_that_of_the_first(
    server: FileServer, cards: Path, known: bool
) -> None:
    first = archive(server)
    proof = {} if known else {"checksum": None, "size": None}
    folder = card(cards, first | proof)
    server.cut = [1000]
    refused()
    newer = zipped(ml_inter=INTER + b"u1\ti1\t99\n", ml_item=ITEMS)
    server.files["ml.zip"], server.tag = newer, '"2"'
    if known:
        assert "it is another version" in refused()
        assert not (folder / "ml.inter").exists()
    else:
        obtain("mine")
        assert server.asked[-1] == "bytes=1000-"
        assert (folder / "ml.inter").read_bytes().endswith(b"99\n")


@pytest.mark.parametrize(
    ("tag", "known"), [('"1"', False), ("", True), ("", False), ('W/"1"', False)]
)
def test_a_server_without_parts_or_versions_starts_anew(
    server: FileServer, cards: Path, tag: str, known: bool
) -> None:
    download = archive(server)
    folder = card(cards, download if known else download | {"checksum": None})
    server.cut, server.ranges, server.tag = [1000], False, tag
    message = refused()
    strong = tag.startswith('"')
    assert ("nothing is kept" in message) == (not strong and not known)
    obtain("mine")
    assert server.asked[1] == ("bytes=1000-" if strong or known else None)
    assert (folder / "ml.inter").read_bytes() == INTER


def test_what_came_whole_is_not_asked_for_again(server: FileServer, cards: Path) -> None:
    """The process died between the last byte and the proof."""
    download = archive(server, checksum=None, size=None)
    card(cards, download)
    whole = len(server.files["ml.zip"])
    server.cut = [whole]
    server.heads = {"Content-Length": str(whole + 1)}
    refused()
    server.heads = {}
    obtain("mine")
    assert server.asked == [None, f"bytes={whole}-"]
    assert server.sent == whole


WEB_PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
FAULTS: dict[str, tuple[dict, dict, str]] = {
    "no such file": ({"files": {}}, {}, "answers 404 Not Found"),
    "forbidden": ({"status": 403}, {}, "answers 403"),
    "overloaded": ({"status": 503}, {}, "answers 503"),
    "an unasked part": ({"status": 206}, {}, "another part"),
    "a web page": ({"heads": {"Content-Type": "text/html; charset=utf-8"}}, {}, "a web page"),
    "packed for the way": ({"heads": {"Content-Encoding": "gzip"}}, {}, "packs the file"),
    "no size": ({"heads": {"Content-Length": None}}, {"size": None}, "how large"),
    "another size": ({}, {"size": 17}, "another version"),
    "another checksum": ({}, {"checksum": "md5:" + "0" * 32}, "has not the checksum of the card"),
    "to a file": ({"redirects": {"ml.zip": "file:///etc/passwd"}}, {}, "only https is trusted"),
    "to http": ({"redirects": {"ml.zip": "http://192.0.2.1/x"}}, {}, "only https is trusted"),
    "to ftp": ({"redirects": {"ml.zip": "ftp://127.0.0.1/x"}}, {}, "only https is trusted"),
    "to a name": ({"redirects": {"ml.zip": "https://a:b@127.0.0.1/x"}}, {}, "a name or a password"),
    "in a circle": ({"redirects": {"ml.zip": "/ml.zip"}}, {}, "from one place to another"),
    "no archive": ({"files": {"ml.zip": WEB_PAGE}}, {"size": None, "checksum": None}, "no zip"),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(FAULTS))
def test_a_failed_download_is_one_line_and_leaves_nothing(
    case: str, server: FileServer, cards: Path, tmp_path: Path
) -> None:
    serves, says, wanted = FAULTS[case]
    card(cards, archive(server) | says)
    for name, value in serves.items():
        setattr(server, name, value)
    message = refused()
    assert message.startswith(f"{server.url}/ml.zip: ")
    assert wanted in message
    assert left(tmp_path / "data") == []


def test_a_server_that_is_not_there(server: FileServer, cards: Path) -> None:
    card(cards, archive(server) | {"url": "http://127.0.0.1:9/ml.zip"})
    assert "cannot be reached; nothing is kept" in refused()


def test_a_redirect_is_followed_to_where_nobody_listens(server: FileServer, cards: Path) -> None:
    download = archive(server)
    folder = card(cards, download | {"url": f"{server.url}/old"})
    server.redirects["old"] = "/ml.zip?signed=1"
    obtain("mine")
    assert left(folder) == ["ml.inter", "ml.item"]


def test_a_redirect_from_elsewhere_does_not_lead_to_this_machine(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    response = requests.Response()
    response.raw = io.BytesIO()
    response.status_code, response.headers["Location"] = 302, f"{server.url}/ml.zip"
    monkeypatch.setattr(requests.Session, "get", lambda *a, **k: response)
    download = module.Resuming(tmp_path / "kept", None, False, lambda there, whole: None)
    with pytest.raises(InputError, match="is this machine; nothing is downloaded from there"):
        download("https://example.org/ml.zip", str(tmp_path / "out"), None)
    assert server.asked == []


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (WEB_PAGE, "ml.inter"),
        (gzip.compress(INTER)[:-9], "ml.inter.gz"),
        (INTER, "ml.inter.gz"),
        (zipped(ml_inter=INTER)[:-30], "ml.zip"),
        (b"PAR1 and no more", "ml.parquet"),
        (b"version https://git-lfs.github.com/spec/v1\n", "ml.parquet"),
    ],
)
def test_a_file_without_a_checksum_is_proved_by_its_format(
    server: FileServer, cards: Path, tmp_path: Path, content: bytes, name: str
) -> None:
    server.files[name] = content
    card(cards, {"url": f"{server.url}/{{name}}"}, files={"inter": name})
    assert "nothing of it is kept" in refused()
    assert left(tmp_path / "data") == []


def test_a_member_is_proved_by_the_checksum_of_the_card(
    server: FileServer, cards: Path, tmp_path: Path
) -> None:
    files = {"inter": {"name": "ml.inter", "sha256": "0" * 64}, "item": {"name": "ml.item"}}
    card(cards, archive(server))
    file = cards / "mine" / "card.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "files": files}))
    assert "its ml.inter has not the checksum of the card, 000000000000…" in refused()
    assert left(tmp_path / "data") == [], "neither the other member"


def test_a_full_disk_is_told_before_and_while(
    server: FileServer, cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download = archive(server)
    card(cards, download)
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 1000))
        assert "are needed and 1.0 kB are free" in refused()
        assert server.sent <= download["size"]
    real = module._CHUNK
    monkeypatch.setattr(module, "_CHUNK", 1000)

    def full(self: object, there: int, whole: int) -> None:
        if there >= 2000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(
            "benchmark.run_log.Ticker.reach", lambda s, p, n="": full(s, int(p * 10**6), 0)
        )
        assert "No space left on device; 2.0 kB are kept" in refused()
    monkeypatch.setattr(module, "_CHUNK", real)
    obtain("mine")
    assert server.asked[-1] == "bytes=2000-"


def test_nothing_is_downloaded_unasked(server: FileServer, cards: Path, tmp_path: Path) -> None:
    card(cards, archive(server))
    with pytest.raises(InputError) as caught:
        load_dataset("mine")
    message = str(caught.value)
    assert server.asked == []
    assert not (tmp_path / "data").exists()
    size = f"{len(server.files['ml.zip']) / 1000:.1f} kB"
    for part in (
        f"ml.inter and ml.item: no such files in {tmp_path}/data/mine",
        "python -m benchmark data prepare mine --accept-licence",
        f"downloads {size} from {server.url}/ml.zip",
        "licence: Ask first",
    ):
        assert part in message


def test_what_is_not_downloaded_is_told_how_to_get(server: FileServer, cards: Path) -> None:
    card(cards, archive(server, files=["item"]), obtain="Ask Ann.\nShe has it.")
    folder = cards.parent / "data" / "mine"
    with pytest.raises(InputError, match=r"put ml\.inter there: Ask Ann\. She has it$"):
        load_dataset("mine")
    obtain("mine")
    assert left(folder) == ["ml.item"]
    assert f"ml.inter: no such file in {folder}; put it there: Ask Ann" in refused()
